"""
The keys of one mode, judged: by their looks and by what Stripe says, told with how to mend them.

What a key is for is judged by its prefix; whether secret key and client id are good and belong
together only Stripe knows. Nothing here shows a secret.
"""

from dataclasses import dataclass, field
from typing import Literal

from app.clients.stripe import KeyLacksPermission, PlatformCheck, StripeConnect
from app.errors import StripeError, StripeRejectedPlatform, StripeTimeout, StripeUnreachable
from app.models import Setting
from app.security.crypto import SecretUnreadable
from app.services.platform.keys import SLOTS

Result = Literal["ok", "failed", "skipped"]
NAMES = ("secret-key", "client-id", "publishable-key", "webhook-secret")
NEEDED = NAMES[:3]
WHERE = {
    "secret-key": (
        "Copy the secret key of {mode} mode from Stripe's dashboard (Developers, API keys)"
    ),
    "client-id": (
        "Copy the client id of {mode} mode from the Connect settings of the same Stripe account"
        " (Settings, Connect, OAuth)"
    ),
    "publishable-key": (
        "Copy the publishable key of {mode} mode from Stripe's dashboard (Developers, API keys)"
    ),
    "webhook-secret": (
        "Copy the signing secret of the {mode} mode endpoint for connected accounts from Stripe's"
        " dashboard (Developers, Webhooks)"
    ),
}


@dataclass(frozen=True)
class Check:
    """What came of one check in one mode, with a sentence for the administrator."""

    mode: Literal["live", "test"]
    check: str
    result: Result
    sentence: str


@dataclass
class ModeKeys:
    """The keys of one mode, and what is wrong with those that are."""

    livemode: bool
    values: dict[str, str | None] = field(repr=False)
    faults: dict[str, str]
    connect_method: str = "oauth"

    @classmethod
    def read(cls, setting: Setting, livemode: bool) -> "ModeKeys":
        """Read the keys, and judge what can be judged by looking at them."""
        values: dict[str, str | None] = {}
        faults: dict[str, str] = {}
        for name in NAMES:
            column = _column(name, livemode)
            try:
                values[name] = getattr(setting, column)
            except SecretUnreadable:
                values[name] = None
                faults[name] = "It was stored under another encryption key and cannot be read."
                continue
            fault = SLOTS[column].judge(values[name] or "")
            if fault is not None:
                faults[name] = fault
        return cls(livemode, values, faults, setting.stripe_connect_method)

    @property
    def mode(self) -> Literal["live", "test"]:
        return "live" if self.livemode else "test"

    @property
    def is_set_up(self) -> bool:
        """Whether any key that linking needs is there."""
        return any(self.values[name] or name in self.faults for name in NEEDED)

    def check(self, stripe: StripeConnect) -> list[Check]:
        """Return every check of this mode."""
        if not self.is_set_up:
            sentence = f"No key of {self.mode} mode is set: accounts cannot be linked in it."
            return [self._told(name, "skipped", sentence) for name in (*NAMES, "connection")]
        answer = self._ask(stripe)
        return [
            self._judge_secret_key(answer),
            self._judge_client_id(answer),
            self._judge("publishable-key") or self._judge_by_looks("publishable-key"),
            self._judge_webhook_secret(),
            self._judge_connection(answer),
        ]

    def compare(self, check: Check, theirs: dict[bool, str | None]) -> Check:
        """Return *check*, failed if it is about a client id that Open Event Server has not."""
        other = theirs.get(self.livemode)
        if check.check != "client-id" or other in (None, self.values["client-id"]):
            return check
        return self._failed("client-id", "Open Event Server has another one in its settings.")

    def _ask(self, stripe: StripeConnect) -> PlatformCheck | None:
        """Ask Stripe, if there is a secret key to ask with; a made-up client id tells of it too."""
        secret_key = self.values["secret-key"]
        if secret_key is None or "secret-key" in self.faults:
            return None
        client_id = self._askable_client_id() or "ca_none"
        found = stripe.check_platform(client_id=client_id, secret_key=secret_key)
        if found.outcome in ("unreachable", "wrong-key"):
            return found
        return self._ask_api(stripe, secret_key) or found

    def _ask_api(self, stripe: StripeConnect, secret_key: str) -> PlatformCheck | None:
        """Return what is wrong with the key at Stripe's API, where it may be more restricted."""
        try:
            stripe.read_platform_id(secret_key=secret_key)
        except KeyLacksPermission as error:
            return PlatformCheck("restricted-key", error.detail, error.cause)
        except StripeRejectedPlatform as error:
            return PlatformCheck("wrong-key", error.detail, error.cause)
        except (StripeUnreachable, StripeTimeout) as error:
            return PlatformCheck("unreachable", error.detail, error.cause)
        except StripeError:
            return None  # an answer that says nothing of the key
        return None

    def _askable_client_id(self) -> str | None:
        return None if "client-id" in self.faults else self.values["client-id"]

    def _judge(self, name: str) -> Check | None:
        """Return a failed check if the key is missing or was put into the wrong place."""
        if name in self.faults:
            return self._failed(name, self.faults[name])
        if not self.values[name]:
            return self._failed(name, "It is not set.")
        return None

    def _judge_secret_key(self, answer: PlatformCheck | None) -> Check:
        failed = self._judge("secret-key")
        if failed or answer is None:
            return failed or self._failed("secret-key", "It is not set.")
        if answer.outcome == "unreachable":
            return self._told("secret-key", "skipped", "Stripe did not say whether it is right.")
        if answer.outcome == "wrong-key":
            return self._failed("secret-key", "Stripe does not accept it.")
        if answer.outcome == "restricted-key":
            return self._failed("secret-key", "Stripe accepts it, but it may not read accounts.")
        if not self._is_recognized("secret-key"):
            sentence = f"Stripe accepts it, but it does not tell that it is of {self.mode} mode."
            return self._told("secret-key", "skipped", sentence)
        return self._told("secret-key", "ok", "Stripe accepts it.")

    def _judge_client_id(self, answer: PlatformCheck | None) -> Check:
        is_missing = not self.values["client-id"] and "client-id" not in self.faults
        if is_missing and self.connect_method == "onboarding":
            return self._told("client-id", "skipped", "Onboarding does not need one.")
        failed = self._judge("client-id")
        if failed:
            return failed
        if answer is None or answer.outcome in ("unreachable", "wrong-key", "restricted-key"):
            sentence = "It can be checked once the secret key is right and Stripe answers."
            return self._told("client-id", "skipped", sentence)
        if answer.outcome == "wrong-client-id":
            return self._failed("client-id", "It does not belong to the secret key.")
        return self._told("client-id", "ok", "It belongs to the secret key.")

    def _judge_webhook_secret(self) -> Check:
        """Without one accounts can be linked all the same, so a missing one has not failed."""
        name = "webhook-secret"
        if not self.values[name] and name not in self.faults:
            sentence = (
                "It is not set: Stripe cannot tell when an account disconnects."
                f" {WHERE[name].format(mode=self.mode)}."
            )
            return self._told(name, "skipped", sentence)
        return self._judge(name) or self._judge_by_looks(name)

    def _judge_by_looks(self, name: str) -> Check:
        """Judge a key that Stripe cannot be asked about."""
        if self._is_recognized(name):
            mode = " and mode" if name == "publishable-key" else ""
            return self._told(name, "ok", f"It is set, and of the right kind{mode}.")
        wanted = SLOTS[_column(name, self.livemode)].wanted
        sentence = f"It is set, but it cannot be told whether it is {wanted}. "
        return self._told(name, "skipped", sentence + f"{WHERE[name].format(mode=self.mode)}.")

    def _is_recognized(self, name: str) -> bool:
        return SLOTS[_column(name, self.livemode)].recognizes(self.values[name] or "")

    def _judge_connection(self, answer: PlatformCheck | None) -> Check:
        if answer is None:
            sentence = "Stripe was not asked, since there is no secret key to ask with."
            return self._told("connection", "skipped", sentence)
        if answer.outcome == "unreachable":
            return self._told("connection", "failed", answer.detail)
        return self._told("connection", "ok", "Stripe answers.")

    def _failed(self, name: str, reason: str) -> Check:
        return self._told(name, "failed", f"{reason} {WHERE[name].format(mode=self.mode)}.")

    def _told(self, name: str, result: Result, sentence: str) -> Check:
        return Check(self.mode, name, result, sentence)


def _column(name: str, livemode: bool) -> str:
    return ("stripe_" if livemode else "stripe_test_") + name.replace("-", "_")
