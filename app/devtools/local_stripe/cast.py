"""What the local Stripe starts with: two platforms, and the accounts to choose from."""

from typing import Any

from .identifiers import derive, mint
from .ledger import Account, Application, Ledger

PLATFORM = "Open Event"
OTHER_PLATFORM = "Other Platform"

CURRENCIES = {"US": "usd", "GB": "gbp", "JP": "jpy", "CH": "chf", "IN": "inr", "CA": "cad"}

# (display name, e-mail, country, disabled reason, controlled by)
ORDINARY = [
    ("Rocket Rides", "rocket@example.com", "DE", None, None),
    ("Lighthouse Concerts", "lighthouse@example.com", "US", None, None),
    ("Harbour Theatre", "harbour@example.com", "GB", "requirements.past_due", None),
    ("Sakura Festival", "sakura@example.com", "JP", None, None),
    ("Rented Stage", "stage@example.com", "FR", None, OTHER_PLATFORM),
]


def new_ledger(seed, now):
    """Return the initial ledger; the same *seed* gives the same ids and keys."""
    ledger = Ledger()
    for platform in (PLATFORM, OTHER_PLATFORM):
        add_platform(ledger, seed, platform, now)
    for name, email, country, disabled_reason, controlled_by in ORDINARY:
        ledger.add_account(
            Account(
                id="acct_" + derive(seed, name, 16),
                email=email,
                country=country,
                currency=currency_of(country),
                display_name=name,
                created=int(now),
                disabled_reason=disabled_reason,
                controlled_by=controlled_by,
            )
        )
    return ledger


def add_platform(ledger, seed, platform, now):
    for livemode in (True, False):
        application = Application.derive(seed, platform, livemode)
        ledger.add_application(application)
    email = platform.lower().replace(" ", "-") + "@example.com"
    owner = Account(application.owner, email, "DE", "eur", platform, int(now), is_platform=True)
    ledger.add_account(owner)


def create_account(
    ledger: Ledger, *, email: str | None, country: str, display_name: str, now: float, **more: Any
) -> Account:
    """Create an account, as the authorize page does for a person and the API for a platform.

    *more* are further fields of the account.
    """
    return ledger.add_account(
        Account(
            id=mint("acct_", 16),
            email=email,
            country=country,
            currency=currency_of(country),
            display_name=display_name,
            created=int(now),
            **more,
        )
    )


def currency_of(country):
    return CURRENCIES.get(country, "eur")


def application_named(ledger, platform, livemode):
    return next(
        each
        for each in ledger.applications.values()
        if (each.platform, each.livemode) == (platform, livemode)
    )
