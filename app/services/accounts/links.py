"""The links to one account in one mode, and the lock under which they change."""

from collections.abc import Collection
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, bindparam, func, select
from sqlalchemy.orm import Session

from app.models import StripeAuthorization

LOCK = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))


class AccountKey(NamedTuple):
    """
    A Stripe account in one mode.

    Deauthorizing disconnects it as a whole, so it is what is locked, shared and disconnected.
    """

    account_id: str
    livemode: bool


def account_of(link: StripeAuthorization) -> AccountKey:
    """Return the account that *link* is to."""
    return AccountKey(link.stripe_user_id, link.livemode)


def lock_accounts(session: Session, *accounts: AccountKey) -> None:
    """
    Lock *accounts* until the transaction ends: what is done about them is decided one at a time.

    Locks are taken in the order event, accounts, attempt; several accounts in one call, which sorts
    them. SQLite has one writer at a time.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    for number in sorted({_lock_number(account) for account in accounts}):
        session.connection().execute(LOCK, {"number": number})


def _lock_number(account: AccountKey) -> int:
    name = f"{account.livemode}:{account.account_id}"
    return int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)


def is_link_to(account: AccountKey) -> ColumnElement[bool]:
    """Return the condition that a link is to *account*."""
    return (StripeAuthorization.stripe_user_id == account.account_id) & (
        StripeAuthorization.livemode == account.livemode
    )


def find_links(session: Session, account: AccountKey) -> list[StripeAuthorization]:
    """Return every link to *account*. The caller holds the account's lock."""
    return list(
        session.scalars(
            select(StripeAuthorization)
            .where(is_link_to(account))
            .order_by(StripeAuthorization.id)
            .execution_options(populate_existing=True)
        )
    )


def has_links(session: Session, account: AccountKey) -> bool:
    """Return whether any link is to *account*. The caller holds the account's lock."""
    found = select(StripeAuthorization.id).where(is_link_to(account)).limit(1)
    return session.scalar(found) is not None


def lock_links_of_events(session: Session, event_ids: Collection[int]) -> list[StripeAuthorization]:
    """
    Lock the accounts of the events' links; return the links, test mode before live.

    The caller holds the events' locks, so no link changes its account meanwhile; but one may have
    been erased because its account was disconnected at Stripe, until we hold the account's lock.
    """
    of_events = (
        select(StripeAuthorization)
        .where(StripeAuthorization.event_id.in_(event_ids))
        .order_by(StripeAuthorization.event_id, StripeAuthorization.livemode)
        .execution_options(populate_existing=True)
    )
    seen = list(session.scalars(of_events))
    lock_accounts(session, *map(account_of, seen))
    return list(session.scalars(of_events)) if seen else []
