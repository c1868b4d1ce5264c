"""
Unlinking: tokens are erased at once, and the account is given back where no other link uses it.
"""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth.policy import DISCONNECT, Caller, require
from app.clients.stripe import StripeConnect
from app.db.clock import database_now
from app.db.transactions import transaction
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import Event, StripeAuthorization, StripeLinkAttempt
from app.services import audit
from app.services.deauthorization import outbox
from app.services.events.queries import lock_event
from app.services.linking import attempts

NOT_LINKED = "No Stripe account is connected here."


def unlink_account(
    authorization_id: int, caller: Caller, stripe: StripeConnect
) -> Literal["done", "pending", "shared"]:
    """
    Erase a link and tell Stripe if it was the last one to its account in its mode.

    Returns `shared` if other links use the account, `pending` if Stripe is still to be told. Raises
    NotFound, Forbidden, LinkInProgress.
    """
    seen = db.session.get(StripeAuthorization, authorization_id)
    if seen is None:
        raise NotFound(NOT_LINKED)
    account_id, livemode, event_id = seen.stripe_user_id, seen.livemode, seen.event_id
    with transaction() as session:
        outbox.lock_accounts(session, livemode, account_id)
        event, _ = lock_event(str(event_id), caller)
        require(event.role, DISCONNECT)
        refuse_while_linking(session, event)
        authorization = _lock_link(session, authorization_id, account_id)
        owed = erase(session, authorization, caller)
    if owed is None:
        return "shared"
    return "done" if outbox.pay(owed, stripe) else "pending"


def refuse_while_linking(session: Session, event: Event) -> None:
    """Raise LinkInProgress while an attempt to link the event goes on."""
    unfinished = session.scalars(
        select(StripeLinkAttempt).where(
            StripeLinkAttempt.event_id == event.id, StripeLinkAttempt.finished_at.is_(None)
        )
    ).one_or_none()
    attempts.refuse_if_under_way(session, unfinished, session.scalar(select(database_now())))


def _lock_link(session: Session, authorization_id: int, account_id: str) -> StripeAuthorization:
    """Return the link, which must still be to the account whose lock we hold."""
    authorization = session.get(StripeAuthorization, authorization_id, populate_existing=True)
    if authorization is None:
        raise NotFound(NOT_LINKED)
    if authorization.stripe_user_id != account_id:
        raise Conflict("Another account was connected at this moment. Please look again.")
    return authorization


def erase(session: Session, authorization: StripeAuthorization, caller: Caller) -> int | None:
    """
    Delete the link with its tokens; return what is owed to Stripe, None if others share it.

    The caller of this holds the locks of account and event.
    """
    account_id, livemode = authorization.stripe_user_id, authorization.livemode
    session.delete(authorization)
    audit.record(
        "stripe-authorization.delete",
        account_id,
        user_id=caller.id,
        event_id=authorization.event_id,
    )
    return outbox.owe(
        session,
        account_id,
        livemode=livemode,
        client_id=authorization.client_id,
        event_id=authorization.event_id,
    )
