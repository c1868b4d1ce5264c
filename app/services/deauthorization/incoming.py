"""
What Stripe tells us: an event counts once, and only if it is signed by a secret of ours.

No event is believed about how things are now. It makes us ask; events come late, twice, and in any
order. The id is kept together with the effect, in one transaction.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clients.stripe import StripeConnect
from app.clients.stripe.reading import parse_object
from app.clients.stripe.signatures import is_signed
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import BadRequest, MalformedJson, Unavailable
from app.extensions import db
from app.models import Setting, StripeAuthorization, StripeWebhookEvent
from app.security.logs import log
from app.services.accounts import disconnection
from app.services.accounts.status import Sighting, keep_snapshot, look_at
from app.services.deauthorization.outbox import lock_accounts
from app.services.platform.registration import read_platform

CONFIRMING = 3.0  # seconds that Stripe has to say how things are
DEAUTHORIZED, UPDATED = "account.application.deauthorized", "account.updated"
NAME = re.compile(r"[!-~]{1,255}")
NOBODY = "-"
LATEST = 4_102_444_800  # the year 2100


@dataclass(frozen=True)
class StripeEvent:
    """An event about a connected account; *client_id* is the application it was cut from, if so."""

    id: str
    type: str
    livemode: bool
    account_id: str
    created: datetime
    client_id: str


def receive(body: bytes, signature: str | None, stripe: StripeConnect) -> None:
    """
    Check what was delivered and do what it says, once.

    Raises BadRequest or MalformedJson for what is not signed by a secret of ours or has no shape of
    Stripe's, Unavailable and StripeBusy for what Stripe is to send again.
    """
    event = _read(_verified(body, signature))
    if event is None or _is_known(event.id) or not _is_about_us(event):
        return
    sighting = look_at(event.account_id, event.livemode, stripe, timeout=CONFIRMING)
    try:
        if not _handle(event, sighting):
            log.warning("event to be sent again", event_id=event.id, account=event.account_id)
            raise Unavailable
    except IntegrityError:
        if not _is_known(event.id):  # somebody else has just handled the same event
            raise


def _verified(body: bytes, signature: str | None) -> dict[str, Any]:
    """
    Return the event as it was signed.

    A live endpoint of Stripe's gets test events too, so the live secret vouches for both modes; the
    test secret only for test events.
    """
    live, test = _secrets()
    now, header = time.time(), signature or ""
    by_live = is_signed(body, header, live, now=now)
    by_test = is_signed(body, header, test, now=now)
    if not (by_live or by_test):
        raise _not_ours()
    event = parse_object(body)
    if event is None:
        raise MalformedJson("The body is not a JSON object.")
    if not by_live and event.get("livemode") is not False:
        raise _not_ours()
    return event


def _not_ours() -> BadRequest:
    return BadRequest("The signature is not one of Stripe's for us.", header="Stripe-Signature")


def _secrets() -> tuple[str | None, str | None]:
    setting = db.session.get_one(Setting, 1)
    secrets = setting.stripe_webhook_secret, setting.stripe_test_webhook_secret
    db.session.rollback()
    return secrets


def _read(content: Mapping[str, Any]) -> StripeEvent | None:
    """Return what we know how to handle, None for anything else. Raises BadRequest."""
    event_id, kind, account_id = (content.get(name) for name in ("id", "type", "account"))
    if not (_is_name(event_id) and _is_name(kind)):
        raise _no_event()
    if kind not in (DEAUTHORIZED, UPDATED) or (kind == UPDATED and account_id is None):
        return None
    livemode, created = content.get("livemode"), content.get("created")
    client_id = _application(content) if kind == DEAUTHORIZED else NOBODY
    if not (_is_name(account_id) and _is_name(client_id) and isinstance(livemode, bool)):
        raise _no_event()
    if type(created) is not int or not 0 <= created <= LATEST:
        raise _no_event()
    moment = datetime.fromtimestamp(created, UTC)
    return StripeEvent(event_id, kind, livemode, account_id, moment, client_id)


def _application(content: Mapping[str, Any]) -> Any:
    """Return `data.object.id`: whom an account was cut from. The account is at the top level."""
    data = content.get("data")
    application = data.get("object") if isinstance(data, dict) else None
    return application.get("id") if isinstance(application, dict) else None


def _is_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _no_event() -> BadRequest:
    return BadRequest("This is not an event as Stripe sends them.")


def _is_known(event_id: str) -> bool:
    known = select(StripeWebhookEvent.id).where(StripeWebhookEvent.id == event_id)
    return bool(read(known))


def _is_about_us(event: StripeEvent) -> bool:
    """
    Whether the event is about an account that is linked here, or was cut from our application.

    Links remember their client id, because the administrator may have changed platforms.
    """
    linked = select(StripeAuthorization.client_id).where(
        StripeAuthorization.stripe_user_id == event.account_id,
        StripeAuthorization.livemode == event.livemode,
    )
    client_ids = {row.client_id for row in read(linked.distinct())}
    if event.type == UPDATED:
        return bool(client_ids)
    return event.client_id in client_ids | {read_platform(event.livemode).client_id}


def _handle(event: StripeEvent, sighting: Sighting) -> bool:
    """
    Do what follows, and remember the event; unless it must come again: False then.

    Raises IntegrityError, with nothing done, if the event has been handled meanwhile.
    """
    hear = _hear_update if event.type == UPDATED else _hear_deauthorization
    with transaction() as session:
        lock_accounts(session, event.livemode, event.account_id)
        if not hear(session, event, sighting):
            return False
        session.add(
            StripeWebhookEvent(
                id=event.id,
                type=event.type,
                livemode=event.livemode,
                stripe_user_id=event.account_id,
            )
        )
        return True


def _hear_update(session: Session, event: StripeEvent, sighting: Sighting) -> bool:
    """Keep what was seen; if nothing was, have the next reader look."""
    keep_snapshot(session, event.livemode, sighting)
    if sighting.snapshot is None:
        for link in disconnection.find_links(session, event.account_id, event.livemode):
            link.account_checked_at = None
    return True


def _hear_deauthorization(session: Session, event: StripeEvent, sighting: Sighting) -> bool:
    """
    Erase the links that this has ended; False if there is one of which that is not known.

    Confirmed by Stripe, these are all that were there when it was asked. Unconfirmed, they are
    those from before the event; times of Stripe's are whole seconds, so a link of the same second
    is not known to be older.
    """
    if sighting.snapshot is not None:
        return True  # connected again, or still: the event is an old one
    own = sighting.platform.client_id
    meant = [
        link
        for link in disconnection.find_links(session, event.account_id, event.livemode)
        if event.client_id in (own, link.client_id)
    ]
    ended = [link for link in meant if _has_ended(link, event, sighting)]
    for link in ended:
        disconnection.erase_link(session, link, sighting.asked_at)
    subject = event.account_id, event.livemode, event.client_id
    disconnection.note_cut(session, *subject)
    if sighting.is_cut and event.client_id == own:
        disconnection.settle_debts(session, *subject, sighting.asked_at)
    return len(ended) == len(meant)


def _has_ended(link: StripeAuthorization, event: StripeEvent, sighting: Sighting) -> bool:
    if sighting.is_cut:
        return link.linked_at <= sighting.asked_at
    return link.linked_at < event.created
