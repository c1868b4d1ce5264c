"""Reading the outbox of deauthorizations: what is pending for an account, and what it was told."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, func, select

from app.db.clock import current_time
from app.extensions import db
from app.models import StripeDeauthorization
from app.services.accounts.links import AccountKey
from app.services.outbox import is_claimable

# Until when Stripe may be reading a deauthorization: the end of the lease, while it is claimed.
READ_UNTIL = func.coalesce(StripeDeauthorization.claimed_until, StripeDeauthorization.sent_at)
IS_PENDING = StripeDeauthorization.done_at.is_(None)
# A one-row table of what Stripe was, is being, and is still to be told of the account whose
# `account_id` and `livemode` are bound. `disconnected_at` is until when it may last have been told
# to disconnect it; `delivering_until` ends the lease of a process that is telling it; `pending`
# counts what it is to be told. Read it under the account's lock.
DELIVERY_STATE = (
    select(
        func.max(READ_UNTIL).label("disconnected_at"),
        func.max(StripeDeauthorization.claimed_until).filter(IS_PENDING).label("delivering_until"),
        func.count().filter(IS_PENDING).label("pending"),
    )
    .where(
        StripeDeauthorization.stripe_user_id == bindparam("account_id"),
        StripeDeauthorization.livemode == bindparam("livemode"),
    )
    .subquery("delivery_state")
)


def is_of(account: AccountKey) -> ColumnElement[bool]:
    """Return the condition that a deauthorization is of *account*."""
    return (StripeDeauthorization.stripe_user_id == account.account_id) & (
        StripeDeauthorization.livemode == account.livemode
    )


@dataclass(frozen=True)
class Pending:
    """A pending deauthorization as it is now; *is_claimed* while its lease goes on."""

    tries: int
    is_claimed: bool
    lease_ended: bool


def look_up(deauthorization_id: int) -> Pending | None:
    """Return the state of a deauthorization; None if it is not pending any more."""
    db.session.rollback()
    row = db.session.get(StripeDeauthorization, deauthorization_id, populate_existing=True)
    now = current_time(db.session())
    db.session.rollback()
    if row is None or row.done_at is not None:
        return None
    is_claimed = not is_claimable(row, now)
    return Pending(row.tries, is_claimed, not is_claimed and row.claimed_until is not None)
