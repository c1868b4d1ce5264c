"""What an event can choose from: time zones and currencies."""

from zoneinfo import available_timezones

import pycountry

# Names that mean something else on every machine, or nothing.
NO_ZONES = {"localtime", "Factory", "posixrules"}
OF_FILES = ("posix/", "right/", "SystemV/")  # copies that some systems keep beside the zones
TIME_ZONES = {
    zone for zone in available_timezones() if zone not in NO_ZONES and not zone.startswith(OF_FILES)
}
# ISO 4217: the name of each currency by its code.
CURRENCIES = {each.alpha_3: each.name for each in pycountry.currencies}
