"""
Unlinking: tokens are erased at once, and the account is deauthorized unless another link uses it.
"""

from typing import Literal

from sqlalchemy.orm import Session

from app.auth.policy import DISCONNECT, Caller, require
from app.clients.stripe import StripeConnect
from app.db.transactions import transaction
from app.errors import NotFound
from app.extensions import db
from app.models import StripeAuthorization
from app.services import audit
from app.services.accounts.links import account_of, has_links, lock_links_of_events
from app.services.deauthorization import outbox
from app.services.events.queries import lock_event
from app.services.events.theirs import confirm_event
from app.services.linking.attempts import refuse_while_linking
from app.services.linking.links import NOT_LINKED


def unlink_account(
    authorization_id: int,
    caller: Caller,
    stripe: StripeConnect,
    *,
    account_id: str | None = None,
) -> Literal["done", "pending", "shared", "kept"]:
    """
    Erase a link and tell Stripe if it was the last one to its account in its mode.

    Returns `shared` if other links use the account, `kept` if it stays connected because a platform
    created it, `pending` if Stripe is still to be told. Raises NotFound (also for a link to another
    account than *account_id*, if that is given), Forbidden, LinkInProgress, Unavailable.
    """
    found = db.session.get(StripeAuthorization, authorization_id)
    if found is None:
        raise NotFound(NOT_LINKED)
    event_id = found.event_id
    confirm_event(str(event_id), caller)
    with transaction() as session:
        event, _ = lock_event(str(event_id), caller)
        require(event.role, DISCONNECT)
        links = lock_links_of_events(session, [event.id])
        refuse_while_linking(session, event.id)
        link = next((each for each in links if each.id == authorization_id), None)
        if link is None or account_id not in (None, link.stripe_user_id):
            raise NotFound(NOT_LINKED)
        enqueued = erase(session, link, caller)
        is_shared = has_links(session, account_of(link))
    if enqueued is None:
        return "shared" if is_shared else "kept"
    delivery = outbox.deliver(enqueued, stripe)
    return delivery if delivery != "in-delivery" else "pending"


def erase_links_of_event(session: Session, event_id: int, caller: Caller) -> list[int]:
    """
    Erase the event's links, in both modes; return the deauthorizations to deliver.

    The caller holds the event's lock. Raises LinkInProgress.
    """
    links = lock_links_of_events(session, [event_id])
    refuse_while_linking(session, event_id)
    return [
        enqueued
        for enqueued in [erase(session, link, caller) for link in links]
        if enqueued is not None
    ]


def erase(session: Session, link: StripeAuthorization, caller: Caller) -> int | None:
    """
    Delete a link with its tokens; return the deauthorization to deliver, None if the account is
    shared or kept.

    The caller holds the locks of event and account.
    """
    account, client_id, event_id = account_of(link), link.client_id, link.event_id
    session.delete(link)
    audit.record(
        "stripe-authorization.delete", account.account_id, user_id=caller.id, event_id=event_id
    )
    return outbox.enqueue(session, account, client_id=client_id, event_id=event_id)
