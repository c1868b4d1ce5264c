"""
Who connected which account: the rows of `stripe_accounts`, and what follows from them.

A connection by OAuth lasts as long as some link uses the account; an account that this platform
created stays with its owner until they disconnect it at Stripe. Writers hold the account's lock.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from app.models import StripeAccount, StripeAuthorization, UsersEventsRole
from app.services.accounts.links import AccountKey, find_links, is_link_to

ACTIVE = StripeAccount.disconnected_at.is_(None)


def _recorded(insert: Any) -> Any:
    """Return the statement that `record_oauth` runs, for the dialect of *insert*."""
    statement = insert(StripeAccount.__table__)
    new, is_over = statement.excluded, StripeAccount.disconnected_at.is_not(None)
    return statement.on_conflict_do_update(
        index_elements=["stripe_user_id", "livemode", "connected_by_id"],
        set_={
            "origin": case((is_over, new.origin), else_=StripeAccount.origin),
            "connected_at": new.connected_at,
            "finished_at": new.finished_at,
            "disconnected_at": None,
        },
    )


RECORDED = {"postgresql": _recorded(postgresql.insert), "sqlite": _recorded(sqlite.insert)}


def is_row_of(account: AccountKey) -> ColumnElement[bool]:
    """Return the condition that a row is about *account*."""
    return (StripeAccount.stripe_user_id == account.account_id) & (
        StripeAccount.livemode == account.livemode
    )


def find_active(session: Session, account: AccountKey) -> list[StripeAccount]:
    """Return the connections of *account* that have not ended."""
    found = select(StripeAccount).where(is_row_of(account), ACTIVE)
    return list(session.scalars(found.execution_options(populate_existing=True)))


def find_checked(
    session: Session, account: AccountKey
) -> list[StripeAuthorization | StripeAccount]:
    """Return every row that shows the account's status: its links, and who connected it."""
    found: list[StripeAuthorization | StripeAccount] = []
    found += find_links(session, account)
    found += find_active(session, account)
    return found


def is_created_here(session: Session, account: AccountKey) -> bool:
    """Return whether this platform created *account*, so that it is never deauthorized."""
    created = select(StripeAccount.id).where(
        is_row_of(account), ACTIVE, StripeAccount.origin == "onboarding"
    )
    return session.scalar(created.limit(1)) is not None


def record_oauth(session: Session, account: AccountKey, user_id: int | None, now: datetime) -> None:
    """
    Remember that the user has connected *account* by OAuth just now. Idempotent.

    An account that this platform created, and that is connected still, stays one.
    """
    connection = session.connection()
    connection.execute(
        RECORDED[connection.dialect.name],
        {
            "stripe_user_id": account.account_id,
            "livemode": account.livemode,
            "origin": "oauth",
            "connected_by_id": user_id,
            "connected_at": now,
            "finished_at": now,
        },
    )


def finish(session: Session, account: AccountKey, user_id: int | None, now: datetime) -> None:
    """Note that an onboarding is complete: the user's next one makes another account."""
    session.execute(
        update(StripeAccount)
        .where(
            is_row_of(account),
            StripeAccount.connected_by_id == user_id,
            StripeAccount.finished_at.is_(None),
        )
        .values(finished_at=now)
        .execution_options(synchronize_session=False)
    )


def end(session: Session, account: AccountKey, now: datetime, *, before: datetime) -> None:
    """End every connection of *account* that was made by *before*: Stripe has ended them."""
    _end(session, account, now, StripeAccount.connected_at <= before)


def end_oauth(session: Session, account: AccountKey, now: datetime) -> None:
    """End the connections by OAuth: the last link is gone, and Stripe is to be told."""
    _end(session, account, now, StripeAccount.origin == "oauth")


def _end(
    session: Session, account: AccountKey, now: datetime, condition: ColumnElement[bool]
) -> None:
    session.execute(
        update(StripeAccount)
        .where(is_row_of(account), ACTIVE, condition)
        .values(disconnected_at=now)
        .execution_options(synchronize_session=False)
    )


def keep(session: Session, account: AccountKey, since: datetime) -> None:
    """
    Reopen the connections that `end_oauth` ended since *since*.

    Stripe says that a platform controls the account, so it stays connected and may be used again.
    """
    session.execute(
        update(StripeAccount)
        .where(is_row_of(account), StripeAccount.disconnected_at >= since)
        .values(disconnected_at=None, origin="onboarding")
        .execution_options(synchronize_session=False)
    )


def is_own(user_id: object) -> ColumnElement[bool]:
    """
    Return the condition that the row of `stripe_accounts` can be used by the user.

    An account that was created here may have no link, another needs one whose tokens are copied.
    """
    link = aliased(StripeAuthorization)
    is_linked = exists().where(
        link.stripe_user_id == StripeAccount.stripe_user_id,
        link.livemode == StripeAccount.livemode,
    )
    return (
        ACTIVE
        & StripeAccount.stripe_user_id.is_not(None)
        & (StripeAccount.connected_by_id == user_id)
        & or_(StripeAccount.origin == "onboarding", is_linked)
    )


def is_imported_of(user_id: object) -> ColumnElement[bool]:
    """Return the condition that no user connected the account and the user owns the event."""
    row = aliased(StripeAccount)
    is_connected_here = exists().where(
        row.stripe_user_id == StripeAuthorization.stripe_user_id,
        row.livemode == StripeAuthorization.livemode,
        row.disconnected_at.is_(None),
    )
    owned = select(UsersEventsRole.event_id).where(
        UsersEventsRole.user_id == user_id, UsersEventsRole.role == "owner"
    )
    is_imported = StripeAuthorization.linked_by_id.is_(None) | ~is_connected_here
    return is_imported & StripeAuthorization.event_id.in_(owned)


def may_use(session: Session, account: AccountKey, user_id: int | None, *, is_admin: bool) -> bool:
    """
    Return whether the user may link *account* to another event: one of their own, connected still.

    Accounts of colleagues are not theirs, because who disconnects an account must be able to end
    it. Administrators may use every account that is connected.
    """
    row, link = select(StripeAccount.id), select(StripeAuthorization.id)
    if is_admin:
        created = row.where(is_row_of(account), ACTIVE, StripeAccount.origin == "onboarding")
        found = (created, link.where(is_link_to(account)))
    else:
        own = row.where(is_row_of(account), is_own(user_id))
        found = (own, link.where(is_link_to(account), is_imported_of(user_id)))
    return any(session.scalar(each.limit(1)) is not None for each in found)
