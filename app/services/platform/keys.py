"""
What Stripe's keys look like, so that one that was put in the wrong field is noticed.

Recognized by their prefixes alone (`pk_live_…`, `whsec_…`): Stripe promises no more than that.
"""

import re
from dataclasses import dataclass

PREFIX = re.compile(r"(?P<kind>pk|sk|rk|whsec|ca|rt|ac|acct)_(?:(?P<mode>test|live)_)?")
KINDS = {
    "pk": "a publishable key",
    "sk": "a secret key",
    "rk": "a restricted key",
    "whsec": "a webhook signing secret",
    "ca": "a client id",
    "rt": "a refresh token",
    "ac": "an authorization code",
    "acct": "an account id",
}
WITH_MODE = ("pk", "sk", "rk")


@dataclass(frozen=True)
class Slot:
    """A place for keys of these *kinds* (the first is the usual one) and, if they tell it, mode."""

    kinds: tuple[str, ...]
    livemode: bool

    def judge(self, value: str) -> str | None:
        """
        Return a sentence on why *value* recognizably belongs elsewhere, without *value*; or None.
        """
        found = PREFIX.match(value)
        if found is None:
            return None
        kind = found["kind"]
        if kind not in self.kinds:
            return f"This looks like {KINDS[kind]}; {KINDS[self.kinds[0]]} belongs here."
        wanted = "live" if self.livemode else "test"
        if kind in WITH_MODE and found["mode"] not in (None, wanted):
            return f"This is a key of {found['mode']} mode; one of {wanted} mode belongs here."
        return None


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
