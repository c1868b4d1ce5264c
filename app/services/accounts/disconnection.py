"""What is done here about an account that was disconnected at Stripe, by its owner or by us."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db.clock import database_now
from app.db.transactions import transaction
from app.models import StripeAuthorization, StripeDeauthorization, StripeLinkAttempt
from app.services import audit
from app.services.deauthorization.outbox import lock_accounts

HISTORY = "Connected, and disconnected at Stripe since: noticed on {:%Y-%m-%d at %H:%M} UTC."


def find_links(session: Session, account_id: str, livemode: bool) -> list[StripeAuthorization]:
    """Return every link to the account in that mode. The caller holds the account's lock."""
    return list(
        session.scalars(
            select(StripeAuthorization)
            .where(
                StripeAuthorization.stripe_user_id == account_id,
                StripeAuthorization.livemode == livemode,
            )
            .order_by(StripeAuthorization.id)
            .execution_options(populate_existing=True)
        )
    )


def erase_link(session: Session, link: StripeAuthorization, now: datetime) -> None:
    """
    Delete *link* with its tokens. The audit trail says so, and the history of the event.

    Nothing is owed to Stripe for it, since Stripe has done it. The caller holds the account's lock.
    """
    session.delete(link)
    audit.record("stripe-authorization.deauthorized", link.stripe_user_id, event_id=link.event_id)
    session.execute(
        update(StripeLinkAttempt)
        .where(
            StripeLinkAttempt.stripe_auth_code == link.stripe_auth_code,
            StripeLinkAttempt.event_id == link.event_id,
            StripeLinkAttempt.outcome == "linked",
        )
        .values(detail=HISTORY.format(now))
        .execution_options(synchronize_session=False)
    )


def note_cut(session: Session, account_id: str, livemode: bool, client_id: str) -> None:
    """
    Remember that the account was cut, by now at the latest. The caller holds its lock.

    Whoever began to link it before must then ask Stripe whether it is connected all the same,
    before they keep it (`settling`).
    """
    now = session.scalar(select(database_now()))
    session.add(
        StripeDeauthorization(
            stripe_user_id=account_id,
            livemode=livemode,
            client_id=client_id,
            sent_at=now,
            done_at=now,
        )
    )


def forget_debts(account_id: str) -> int:
    """
    Take what is owed for the account, in both modes, for done: a person has seen to it.

    The only way out where Stripe will never take it from us: the keys of a former platform are
    gone. Returns how much that was; the audit trail has it.
    """
    with transaction() as session:
        for livemode in (False, True):
            lock_accounts(session, livemode, account_id)
        now = session.scalar(select(database_now()))
        owed = session.scalars(
            select(StripeDeauthorization).where(
                StripeDeauthorization.stripe_user_id == account_id,
                StripeDeauthorization.done_at.is_(None),
            )
        ).all()
        for debt in owed:
            debt.done_at, debt.claimed_until, debt.needs_person = now, None, False
            audit.record("stripe-deauthorization.forget", account_id, event_id=debt.event_id)
    return len(owed)


def settle_debts(
    session: Session, account_id: str, livemode: bool, client_id: str, seen_at: datetime
) -> None:
    """
    Finish what is owed for an account that Stripe did not know as connected any more at *seen_at*.

    What was owed since stays owed, and so does what somebody is telling Stripe right now: they will
    hear of it themselves. The caller holds the account's lock.
    """
    now = session.scalar(select(database_now()))
    claimed_until = StripeDeauthorization.claimed_until
    session.execute(
        update(StripeDeauthorization)
        .where(
            StripeDeauthorization.stripe_user_id == account_id,
            StripeDeauthorization.livemode == livemode,
            StripeDeauthorization.client_id == client_id,
            StripeDeauthorization.done_at.is_(None),
            StripeDeauthorization.owed_since <= seen_at,
            claimed_until.is_(None) | (claimed_until <= now),
        )
        .values(done_at=now, claimed_until=None, error_code=None, needs_person=False)
        .execution_options(synchronize_session=False)
    )
