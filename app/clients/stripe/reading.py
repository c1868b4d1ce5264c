"""One answer of Stripe, read with suspicion, and the errors that can be told about it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from app.clients.stripe.outcomes import (
    AccountDeleted,
    AccountUnknown,
    KeyLacksPermission,
    SavedFault,
)
from app.clients.stripe.transport import Answer
from app.errors import (
    StripeError,
    StripeRefused,
    StripeRejectedPlatform,
    StripeTimeout,
    StripeUnreachable,
    StripeUnreadable,
)
from app.security.redaction import plain_text
from app.security.strict_json import read_json

ACCOUNT_ID = re.compile(r"acct_[A-Za-z0-9]{1,64}")
_NAMED_ACCOUNT = re.compile(rb'"stripe_user_id"\s*:\s*"(acct_[A-Za-z0-9]{1,64})"')

_ASK = "please ask the administrator"
_REJECTIONS: dict[type[StripeRejectedPlatform], str] = {
    StripeRejectedPlatform: f"Stripe does not accept this platform's key: {_ASK} to check it.",
    KeyLacksPermission: f"Stripe does not permit this to the platform's key: {_ASK} to check it.",
    AccountUnknown: f"Stripe does not know this account under the platform's key: {_ASK}.",
    AccountDeleted: f"This account was deleted at Stripe: {_ASK}.",
}

E = TypeVar("E", bound=StripeError)


@dataclass(frozen=True)
class Purpose:
    """What Stripe was asked for: what to do when it fails, and the field that errors are about."""

    again: str
    field: str | None = None
    grants: bool = False


LINKING = Purpose("please connect with Stripe again", "code", grants=True)
MAINTENANCE = Purpose("please try again later")
ONBOARDING = Purpose("please try again")
PAYING = Purpose("please send the same request again")


class Reading:
    """
    Stripe's answer as a status and, if it is one, an object; *hide* are the secrets that it must
    not echo.

    The OAuth endpoints say `{"error": "<code>", "error_description": "…"}`, the API says
    `{"error": {object}}` (both on connect.stripe.com:
    https://docs.stripe.com/connect/oauth-reference); both are understood everywhere.
    """

    def __init__(self, answer: Answer, purpose: Purpose, hide: Iterable[str] = ()) -> None:
        self._answer = answer
        self._purpose = purpose
        self._hide = tuple(hide)
        self.status = answer.status
        self.content = parse_object(answer.body)

    @property
    def is_whole(self) -> bool:
        """Whether a whole answer came."""
        return self._answer.fault is None

    @property
    def refused(self) -> bool:
        """Whether Stripe says no in a form that can be understood."""
        content = self.content or {}
        known = isinstance(content.get("error"), str | dict)
        return known or (content.get("error") is None and bool(self.description))

    @property
    def error_code(self) -> str:
        """Stripe's short name for the error, as plain text; empty if there is none."""
        error = (self.content or {}).get("error")
        if isinstance(error, dict):
            error = error.get("code") or error.get("type")
        return self._plain(error) if isinstance(error, str) else ""

    @property
    def error_type(self) -> str:
        """The kind of the API's error object; empty if there is none."""
        error = (self.content or {}).get("error")
        kind = error.get("type") if isinstance(error, dict) else None
        return kind if isinstance(kind, str) else ""

    @property
    def description(self) -> str:
        """Stripe's `error_description`, as plain text; empty if there is none."""
        description = (self.content or {}).get("error_description")
        return self._plain(description) if isinstance(description, str) else ""

    @property
    def words(self) -> str:
        """Whatever Stripe says about the error, in either form, as plain text."""
        error = (self.content or {}).get("error")
        message = error.get("message") if isinstance(error, dict) else None
        return self.description or (self._plain(message) if isinstance(message, str) else "")

    @property
    def summary(self) -> str:
        """The answer in one line for the log."""
        return f"HTTP {self.status} {self.error_code}: {self.words}"

    def refusal(self) -> StripeRefused:
        """Return the error for what Stripe refuses, in Stripe's words if it has any."""
        return self.error(
            StripeRefused,
            self.words or "Stripe refused without a reason.",
            meta={"stripe-error": self.error_code} if self.error_code else None,
        )

    def says(self, words: str) -> bool:
        """Whether Stripe's words about the error contain *words*, in lower or upper case."""
        return words.lower() in self.words.lower()

    def require_judgement(self) -> None:
        """
        Raise unless there is a complete answer that is about the question: a 200, or a 4xx that
        is no 429.

        Raises StripeUnreachable, StripeTimeout or StripeUnreadable.
        """
        fault, cause = self._answer.fault, self._answer.cause
        if fault == "unreachable":
            self._raise_unreachable(cause)
        if fault == "timeout":
            detail = f"Stripe did not answer in time: {self._purpose.again}."
            raise self.error(StripeTimeout, detail, cause=cause)
        if fault is not None:
            raise self.unreadable(f"{fault}: {cause}")
        if self.status == 429:
            detail = f"Stripe has too much to do at the moment: {self._purpose.again}."
            raise self.error(StripeUnreadable, detail, cause="HTTP 429")
        if self.status is None or not (self.status == 200 or 400 <= self.status < 500):
            kind = SavedFault if self._is_saved_fault() else StripeUnreadable
            raise self.unreadable(f"HTTP {self.status}", kind)

    def require_object(self) -> dict[str, Any]:
        """Return the object; raise StripeUnreadable for no object, or a 4xx without an error."""
        if self.content is None or (self.status != 200 and not self.refused):
            raise self.unreadable(f"HTTP {self.status} with an unknown body")
        return self.content

    def error(self, kind: type[E], detail: str, *, cause: str = "", **kwargs: Any) -> E:
        """Return an error of *kind*, with its field and the account that was granted, if any."""
        return kind(
            detail,
            field=self._purpose.field,
            granted_account=self._granted_account(),
            cause=self._plain(cause or self.summary),
            **kwargs,
        )

    def unreadable(
        self, cause: str, kind: type[StripeUnreadable] = StripeUnreadable
    ) -> StripeUnreadable:
        """Return the error for an answer that makes no sense."""
        detail = f"Stripe's answer could not be understood: {self._purpose.again}."
        return self.error(kind, detail, cause=cause)

    def rejected_platform(
        self, kind: type[StripeRejectedPlatform] = StripeRejectedPlatform
    ) -> StripeRejectedPlatform:
        """Return the error for a key of ours that Stripe does not accept, or not for this."""
        return self.error(kind, _REJECTIONS[kind])

    def _is_saved_fault(self) -> bool:
        replayed = self._answer.headers.get("Idempotent-Replayed", "")
        return replayed.lower() == "true" and (self.status or 0) >= 500

    def _raise_unreachable(self, cause: str) -> NoReturn:
        raise StripeUnreachable(
            "Stripe could not be reached and nothing was sent: please try again in a moment.",
            cause=self._plain(cause),
        )

    def _granted_account(self) -> str | None:
        """
        Return the one account id that the answer names.

        Looked for in the bytes, because an answer that was cut off or is no JSON may name one all
        the same.
        """
        if not self._purpose.grants:
            return None
        named = set(_NAMED_ACCOUNT.findall(self._answer.body))
        return named.pop().decode("ascii") if len(named) == 1 else None

    def _plain(self, text: str) -> str:
        return plain_text(text, hide=self._hide)


def parse_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in *body*, or None where there is none that means one thing only."""
    try:
        value = read_json(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
