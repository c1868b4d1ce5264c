"""What happens here after an account was disconnected at Stripe, by its owner or by us."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.models import StripeAuthorization, StripeLinkAttempt
from app.services import audit
from app.services.accounts.links import AccountKey
from app.services.deauthorization import outbox

HISTORY = "Connected, and later disconnected at Stripe (noticed on {:%Y-%m-%d at %H:%M} UTC)."


def erase_links(
    session: Session,
    links: list[StripeAuthorization],
    account: AccountKey,
    client_id: str,
    noticed_at: datetime,
) -> None:
    """
    Erase *links* to an account that Stripe has disconnected from *client_id*, and remember it.

    Nothing is enqueued, since Stripe has done it. The caller holds the account's lock.
    """
    for link in links:
        _erase(session, link, noticed_at)
    outbox.record_disconnection(session, account, client_id)


def _erase(session: Session, link: StripeAuthorization, noticed_at: datetime) -> None:
    session.delete(link)
    audit.record("stripe-authorization.deauthorized", link.stripe_user_id, event_id=link.event_id)
    session.execute(
        update(StripeLinkAttempt)
        .where(
            StripeLinkAttempt.authorization_id == link.id,
            StripeLinkAttempt.event_id == link.event_id,
            StripeLinkAttempt.outcome == "linked",
            StripeLinkAttempt.finished_at >= link.linked_at,
        )
        .values(detail=HISTORY.format(noticed_at))
        .execution_options(synchronize_session=False)
    )
