"""What an event can choose from: time zones and currencies."""

from zoneinfo import available_timezones

import pycountry

# Names that mean something else on every machine, or nothing.
NO_ZONES = {"localtime", "Factory", "posixrules"}
OF_FILES = ("posix/", "right/", "SystemV/")  # copies that some systems keep beside the zones
TIME_ZONES = {
    zone for zone in available_timezones() if zone not in NO_ZONES and not zone.startswith(OF_FILES)
}
# Codes of ISO 4217 that are no money: metals, units of account, tests and none at all.
NO_MONEY = {
    "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX",
}  # fmt: skip
# ISO 4217: the name of each currency by its code.
CURRENCIES = {
    each.alpha_3: each.name for each in pycountry.currencies if each.alpha_3 not in NO_MONEY
}
