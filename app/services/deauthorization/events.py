"""Reading events: whether Stripe signed them, and what they say."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeGuard

from app.clients.stripe.reading import parse_object
from app.clients.stripe.signatures import is_signed
from app.errors import BadRequest, MalformedJson
from app.extensions import db
from app.models import Setting, StripeWebhookEvent
from app.services.accounts.links import AccountKey

DEAUTHORIZED, UPDATED = "account.application.deauthorized", "account.updated"
PAYMENT = "payment_intent."
NAME = re.compile(r"[!-~]{1,255}")
NO_APPLICATION = "-"
LATEST = 4_102_444_800  # the year 2100


@dataclass(frozen=True)
class StripeEvent:
    """
    An event about a connected account; *client_id* is the application it was disconnected from.

    *object_id* and *metadata* are those of the payment intent that an event is about.
    """

    id: str
    type: str
    account: AccountKey
    created: datetime
    client_id: str
    object_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_about_payment(self) -> bool:
        """Whether something happened to a payment intent."""
        return self.type.startswith(PAYMENT)

    def to_row(self) -> StripeWebhookEvent:
        """Return the row that makes the event known as handled."""
        return StripeWebhookEvent(
            id=self.id,
            type=self.type,
            livemode=self.account.livemode,
            stripe_user_id=self.account.account_id,
        )


def read_event(body: bytes, signature: str | None) -> StripeEvent | None:
    """
    Return the event that Stripe signed, None for one that is of no interest.

    Raises BadRequest or MalformedJson where it is not signed with one of our secrets, or is no
    event.
    """
    return _read(_verified(body, signature))


def _verified(body: bytes, signature: str | None) -> dict[str, Any]:
    """
    Return the event as it was signed.

    A live endpoint at Stripe gets test events too, so the live secret vouches for both modes; the
    test secret only for test events.
    """
    live, test = _secrets()
    now, header = time.time(), signature or ""
    by_live = is_signed(body, header, live, now=now)
    by_test = is_signed(body, header, test, now=now)
    if not (by_live or by_test):
        raise _not_signed()
    event = parse_object(body)
    if event is None:
        raise MalformedJson("The body is not a JSON object.")
    if not by_live and event.get("livemode") is not False:
        raise _not_signed()
    return event


def _not_signed() -> BadRequest:
    return BadRequest(
        "The signature was not made with a webhook secret of this platform.",
        header="Stripe-Signature",
    )


def _secrets() -> tuple[str | None, str | None]:
    setting = db.session.get_one(Setting, 1)
    secrets = setting.stripe_webhook_secret, setting.stripe_test_webhook_secret
    db.session.rollback()
    return secrets


def _read(content: Mapping[str, Any]) -> StripeEvent | None:
    """
    Return what we handle; None for any other kind and for an event without an account.

    Raises BadRequest where what we handle has another shape than Stripe gives it.
    """
    event_id, kind, account_id = (content.get(name) for name in ("id", "type", "account"))
    if not (_is_name(event_id) and _is_name(kind)):
        raise _no_event()
    if not (kind in (DEAUTHORIZED, UPDATED) or kind.startswith(PAYMENT)) or account_id is None:
        return None
    livemode, created = content.get("livemode"), content.get("created")
    client_id = _application(content) if kind == DEAUTHORIZED else NO_APPLICATION
    if not (_is_name(account_id) and _is_name(client_id) and isinstance(livemode, bool)):
        raise _no_event()
    if type(created) is not int or not 0 <= created <= LATEST:
        raise _no_event()
    moment = datetime.fromtimestamp(created, UTC)
    event = StripeEvent(event_id, kind, AccountKey(account_id, livemode), moment, client_id)
    return _with_payment(event, content) if event.is_about_payment else event


def _with_payment(event: StripeEvent, content: Mapping[str, Any]) -> StripeEvent | None:
    intent = _object(content)
    if not _is_name(intent.get("id")):
        return None
    metadata = intent.get("metadata")
    return replace(
        event, object_id=intent["id"], metadata=metadata if isinstance(metadata, dict) else {}
    )


def _application(content: Mapping[str, Any]) -> Any:
    """Return `data.object.id`: the application. The account is at the event's top level."""
    return _object(content).get("id")


def _object(content: Mapping[str, Any]) -> dict[str, Any]:
    data = content.get("data")
    found = data.get("object") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _is_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _no_event() -> BadRequest:
    return BadRequest("This is not an event as Stripe sends them.")
