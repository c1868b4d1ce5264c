"""
Webhooks from Stripe: an event counts once, and only if it is signed with one of our secrets.

No event is believed about the present state. It makes us ask, since events come late, twice, and in
any order. The event's id is stored together with its effect, in one transaction.
"""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clients.stripe import StripeConnect
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import Unavailable
from app.models import StripeAccount, StripeAuthorization, StripeWebhookEvent
from app.security.logs import log
from app.services.accounts import connections, disconnection
from app.services.accounts.links import find_links, is_link_to, lock_accounts
from app.services.accounts.status import AccountLookup, fetch_account, record_snapshot
from app.services.deauthorization import outbox
from app.services.deauthorization.events import UPDATED, StripeEvent, read_event
from app.services.payments import incoming as payments
from app.services.platform.registration import read_platform

CONFIRMING = 3.0  # seconds that Stripe has to describe the account


def receive(body: bytes, signature: str | None, stripe: StripeConnect) -> None:
    """
    Check what was delivered and do what it says, once. What is of no interest is ignored.

    Raises BadRequest or MalformedJson for what is not signed with one of our secrets or is no event
    of Stripe's, Unavailable and StripeBusy for what Stripe is to send again.
    """
    event = read_event(body, signature)
    if event is None or _is_known(event.id):
        return
    if event.is_about_payment:
        payments.receive(event, stripe)
        return
    if not _is_about_us(event):
        return
    lookup = fetch_account(event.account, stripe, timeout=CONFIRMING)
    try:
        if not _handle(event, lookup):
            log.warning(
                "event to be sent again", stripe_event_id=event.id, account=event.account[0]
            )
            raise Unavailable
    except IntegrityError:
        if not _is_known(event.id):  # another delivery of the same event was handled just now
            raise


def _is_known(event_id: str) -> bool:
    known = select(StripeWebhookEvent.id).where(StripeWebhookEvent.id == event_id)
    return bool(read(known))


def _is_about_us(event: StripeEvent) -> bool:
    """
    Return whether the event is about an account that is known here, or about our application.

    Links remember their client id, because the administrator may have changed platforms. Where no
    client id is set, because accounts are connected by onboarding alone, the account is enough.
    """
    linked = select(StripeAuthorization.client_id).where(is_link_to(event.account))
    client_ids = {row.client_id for row in read(linked.distinct())}
    is_known = bool(client_ids) or _is_connected(event)
    if event.type == UPDATED:
        return is_known
    own = read_platform(event.account.livemode).client_id
    return event.client_id in client_ids | {own} or (not own and is_known)


def _is_connected(event: StripeEvent) -> bool:
    """Return whether a user connected the account, even if no event uses it yet."""
    active = connections.is_row_of(event.account) & connections.ACTIVE
    return bool(read(select(StripeAccount.id).where(active).limit(1)))


def _handle(event: StripeEvent, lookup: AccountLookup) -> bool:
    """
    Apply the event and store its id; or return False if Stripe is to send it again.

    Raises IntegrityError, with nothing done, if the event was handled concurrently.
    """
    apply = _apply_update if event.type == UPDATED else _apply_deauthorization
    with transaction() as session:
        lock_accounts(session, event.account)
        if not apply(session, event, lookup):
            return False
        session.add(event.to_row())
        return True


def _apply_update(session: Session, event: StripeEvent, lookup: AccountLookup) -> bool:
    """Record the account's status; if Stripe did not tell it, the next reader has it refreshed."""
    record_snapshot(session, event.account, lookup)
    if lookup.snapshot is None:
        for row in connections.find_checked(session, event.account):
            row.account_checked_at = None
    return True


def _apply_deauthorization(session: Session, event: StripeEvent, lookup: AccountLookup) -> bool:
    """
    Erase the links that this has ended; False if there is one of which that is not known.

    Confirmed by Stripe, these are all that were there when it was asked. Unconfirmed, they are
    those from before the event. Stripe's times are whole seconds, so a link of the same second is
    not known to be older.
    """
    if lookup.snapshot is not None:
        return True  # connected again, or still: the event is an old one
    own = lookup.platform.client_id
    meant = [
        link
        for link in find_links(session, event.account)
        if not own or event.client_id in (own, link.client_id)
    ]
    ended = [link for link in meant if _has_ended(link, event, lookup)]
    disconnection.erase_links(session, ended, event.account, event.client_id, lookup.asked_at)
    if lookup.is_disconnected and event.client_id == own:
        outbox.mark_disconnected(session, event.account, event.client_id, lookup.asked_at)
    if len(ended) < len(meant):
        return False
    before = lookup.asked_at if lookup.is_disconnected else event.created
    connections.end(session, event.account, lookup.asked_at, before=before)
    return True


def _has_ended(link: StripeAuthorization, event: StripeEvent, lookup: AccountLookup) -> bool:
    if lookup.is_disconnected:
        return link.linked_at <= lookup.asked_at
    return link.linked_at < event.created
