"""
What Stripe's keys look like, so that one that was put in the wrong field is noticed.

Recognized by their prefixes alone (`pk_live_…`, `whsec_…`): Stripe promises no more than that. Keys
of an organization tell their mode after `sk_org_`
(https://docs.stripe.com/keys/organization-api-keys).
"""

import re
import unicodedata
from dataclasses import dataclass

from app.security.redaction import ELLIPSIS

LONGEST_KEY = 500
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}

KINDS = {
    "pk": "a publishable key",
    "sk": "a secret key",
    "rk": "a restricted key",
    "whsec": "a webhook signing secret",
    "ca": "a client id",
    "rt": "a refresh token",
    "ac": "an authorization code",
    "acct": "an account id",
    # What stands beside keys and secrets in Stripe's dashboard, and is no secret.
    "we": "the id of a webhook endpoint",
    "ed": "the id of an event destination",
    "evt": "the id of an event",
    "req": "the id of a request",
    "cus": "the id of a customer",
    "pi": "the id of a payment intent",
    "ch": "the id of a charge",
    "prod": "the id of a product",
    "price": "the id of a price",
}
WITH_MODE = ("pk", "sk", "rk")
PREFIX = re.compile(rf"(?P<kind>{'|'.join(KINDS)})_(?:org_)?(?:(?P<mode>test|live)_)?(?P<rest>.*)")


@dataclass(frozen=True)
class Slot:
    """A place for keys of these *kinds* (the first is the usual one) and, if they tell it, mode."""

    kinds: tuple[str, ...]
    livemode: bool

    @property
    def wanted(self) -> str:
        """What belongs here, in words."""
        return KINDS[self.kinds[0]]

    def judge(self, value: str) -> str | None:
        """
        Return a sentence on why *value* recognizably belongs elsewhere, without *value*; or None.
        """
        found = PREFIX.match(value)
        if found is None:
            return None
        kind = found["kind"]
        if kind not in self.kinds:
            return f"This looks like {KINDS[kind]}; {self.wanted} belongs here."
        wanted = "live" if self.livemode else "test"
        if kind in WITH_MODE and found["mode"] not in (None, wanted):
            return f"This is a key of {found['mode']} mode; one of {wanted} mode belongs here."
        return None

    def recognizes(self, value: str) -> bool:
        """Whether *value* can be told by looking at it to be of the kind and mode for here."""
        found = PREFIX.fullmatch(value)
        if found is None or not found["rest"] or found["kind"] not in self.kinds:
            return False
        wanted = "live" if self.livemode else "test"
        return found["kind"] not in WITH_MODE or found["mode"] == wanted


SLOTS = {
    "stripe_client_id": Slot(("ca",), livemode=True),
    "stripe_publishable_key": Slot(("pk",), livemode=True),
    "stripe_test_client_id": Slot(("ca",), livemode=False),
    "stripe_test_publishable_key": Slot(("pk",), livemode=False),
    "stripe_secret_key": Slot(("sk", "rk"), livemode=True),
    "stripe_test_secret_key": Slot(("sk", "rk"), livemode=False),
    "stripe_webhook_secret": Slot(("whsec",), livemode=True),
    "stripe_test_webhook_secret": Slot(("whsec",), livemode=False),
}


def judge_value(name: str, text: str) -> str | None:
    """Return why *text*, trimmed, cannot be the setting *name*; None if it can."""
    if len(text) > LONGEST_KEY:
        return f"This can have at most {LONGEST_KEY} characters."
    if any(unicodedata.category(character) in INVISIBLE for character in text):
        return "This contains characters that are not allowed."
    return None if ELLIPSIS in text else SLOTS[name].judge(text)


def mode_of_publishable_key(value: str | None) -> bool | None:
    """Return whether *value* is recognizably a live (True) or a test (False) publishable key."""
    found = PREFIX.match(value or "")
    if found is None or found["kind"] != "pk" or found["mode"] is None:
        return None
    return found["mode"] == "live"
