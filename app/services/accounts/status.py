"""
The status of connected accounts: read at Stripe with the platform's key, kept as a snapshot.

Read after linking, when Stripe says that something changed, and on demand at most once a minute,
by whichever instance. No request waits for it: until it is known, the status is `unknown`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.clients.stripe import AccountNotConnected, AccountSnapshot, StripeConnect
from app.db.clock import current_time
from app.db.reads import read_time
from app.db.transactions import transaction
from app.errors import StripeBusy, StripeError, StripeRejectedPlatform
from app.models import StripeAccount, StripeAuthorization
from app.security.logs import log
from app.services.accounts import connections, disconnection
from app.services.accounts.links import AccountKey, find_links, is_link_to, lock_accounts
from app.services.deauthorization import outbox
from app.services.platform.identity import find_platform_id, known_platform_id
from app.services.platform.registration import Platform, read_platform

ON_DEMAND = timedelta(seconds=60)
ANSWER_TIME = 5.0  # seconds that Stripe has, where no request waits
OTHER_PLATFORM = (
    "Stripe denies the platform's key access to this account, and the link was made by another"
    " platform or by one that is not known: check the platform's keys."
)


@dataclass(frozen=True)
class AccountLookup:
    """
    What Stripe said about an account: a *snapshot*, that the key has no access to it
    (*is_disconnected*), that a person is needed (*rejection*, a sentence), or nothing of use.

    *asked_at* is the moment before it was asked, by the database's clock. *platform_id* is the
    platform's own account, None if unknown.
    """

    asked_at: datetime
    platform: Platform
    platform_id: str | None = None
    snapshot: AccountSnapshot | None = None
    is_disconnected: bool = False
    rejection: str | None = None


@dataclass(frozen=True)
class Refresh:
    """The outcome of refreshing an account; *problem* is a sentence where a person is needed."""

    outcome: Literal["recorded", "disconnected", "rejected", "unknown", "not-due"]
    problem: str | None = None


def fetch_account(
    account: AccountKey, stripe: StripeConnect, *, timeout: float = ANSWER_TIME
) -> AccountLookup:
    """
    Ask Stripe about *account* with the platform's key of its mode; no database connection is held.

    Raises StripeBusy, with nothing asked, if this process has no place for another call.
    """
    platform = read_platform(account.livemode)
    nothing = AccountLookup(read_time(), platform, known_platform_id(platform))
    if not platform.secret_key:
        return nothing
    try:
        snapshot = stripe.read_account(
            account.account_id,
            secret_key=platform.secret_key,
            timeout=min(timeout, stripe.timeout),
        )
    except AccountNotConnected:
        return replace(nothing, is_disconnected=True)
    except StripeBusy:
        raise
    except StripeError as error:
        log.warning(
            "account not read", account=account.account_id, code=error.code, cause=error.cause
        )
        is_final = isinstance(error, StripeRejectedPlatform)
        return replace(nothing, rejection=error.detail if is_final else None)
    return replace(nothing, snapshot=snapshot)


def record_snapshot(session: Session, account: AccountKey, lookup: AccountLookup) -> None:
    """
    Write what was read to every link to *account*, unless a later reading is there already.

    A key that can read the account belongs to the platform that it is connected to, so a link that
    does not know its platform learns it.
    """
    snapshot = lookup.snapshot
    if snapshot is None:
        return
    _write(
        session,
        account,
        lookup.asked_at,
        account_status=snapshot.status,
        display_name=snapshot.display_name,
        country=snapshot.country,
    )
    if lookup.platform_id is not None:
        for table, is_of, since in (
            (StripeAuthorization, is_link_to(account), StripeAuthorization.linked_at),
            (StripeAccount, connections.is_row_of(account), StripeAccount.connected_at),
        ):
            session.execute(
                update(table)
                .where(is_of, table.platform_account_id.is_(None), since <= lookup.asked_at)
                .values(platform_account_id=lookup.platform_id)
                .execution_options(synchronize_session=False)
            )


def _write(session: Session, account: AccountKey, asked_at: datetime, **values: str | None) -> None:
    for table, is_of in (
        (StripeAuthorization, is_link_to(account)),
        (StripeAccount, connections.is_row_of(account)),
    ):
        checked_at = table.account_checked_at
        session.execute(
            update(table)
            .where(is_of, checked_at.is_(None) | (checked_at <= asked_at))
            .values(account_checked_at=asked_at, **values)
            .execution_options(synchronize_session=False)
        )


def refresh(
    account_id: str, livemode: bool, stripe: StripeConnect, *, unless_since: datetime | None = None
) -> Refresh:
    """
    Read the account and record its status, for all links to it in that mode.

    Not if all of them were refreshed since *unless_since* (default: within the last minute): the
    refresh is claimed in the database first, so any number of instances share it. Links to an
    account that Stripe has disconnected from the same platform are erased. Raises StripeBusy.
    """
    account = AccountKey(account_id, livemode)
    if not _claim(account, unless_since):
        return Refresh("not-due")
    lookup = fetch_account(account, stripe)
    if lookup.is_disconnected or lookup.snapshot is not None:
        platform_id = find_platform_id(lookup.platform, stripe, min(ANSWER_TIME, stripe.timeout))
        lookup = replace(lookup, platform_id=platform_id)
    if lookup.is_disconnected:
        return _erase(account, lookup, _owns_client_id(lookup.platform, stripe))
    with transaction() as session:
        record_snapshot(session, account, lookup)
        if lookup.rejection is not None:
            _write(session, account, lookup.asked_at, account_status="unknown")
    if lookup.rejection is not None:
        return Refresh("rejected", lookup.rejection)
    return Refresh("unknown" if lookup.snapshot is None else "recorded")


def _claim(account: AccountKey, unless_since: datetime | None) -> bool:
    """Note that the account is being read; False if no link or connection needs it."""
    with transaction() as session:
        lock_accounts(session, account)
        now = current_time(session)
        bound = now - ON_DEMAND if unless_since is None else unless_since
        rows = connections.find_checked(session, account)
        if all(row.account_checked_at and row.account_checked_at > bound for row in rows):
            return False
        for row in rows:
            row.account_checked_at = now
        return True


def _owns_client_id(platform: Platform, stripe: StripeConnect) -> bool:
    """Return whether Stripe says that the platform's client id and secret key belong together."""
    if not (platform.client_id and platform.secret_key):
        return False
    return stripe.check_platform(client_id=platform.client_id, secret_key=platform.secret_key).ok


def _erase(account: AccountKey, lookup: AccountLookup, owns_client_id: bool) -> Refresh:
    """
    Erase the links that were there when Stripe was asked and that the same platform made.

    An administrator who has put another platform's key into the settings must not lose every link
    by it. The status of the other links is not known any more.
    """
    with transaction() as session:
        lock_accounts(session, account)
        old = [link for link in find_links(session, account) if link.linked_at <= lookup.asked_at]
        ended = [link for link in old if is_of_platform(link, lookup, owns_client_id)]
        rows = connections.find_active(session, account)
        is_ours = any(_is_created_by(row, lookup) for row in rows) if not old else bool(ended)
        if len(ended) < len(old) or not is_ours:
            _write(session, account, lookup.asked_at, account_status="unknown")
        if is_ours:
            client_id = lookup.platform.client_id
            disconnection.erase_links(session, ended, account, client_id, lookup.asked_at)
            outbox.mark_disconnected(session, account, client_id, lookup.asked_at)
            if len(ended) == len(old):
                connections.end(session, account, lookup.asked_at, before=lookup.asked_at)
    if not is_ours:
        return Refresh("rejected", OTHER_PLATFORM) if old or rows else Refresh("unknown")
    log.warning(
        "disconnected at Stripe",
        account=account.account_id,
        livemode=account.livemode,
        links=len(ended),
    )
    return Refresh("disconnected")


def _is_created_by(row: StripeAccount, lookup: AccountLookup) -> bool:
    """Return whether the platform whose key was used has made the connection of *row*."""
    return row.platform_account_id is not None and row.platform_account_id == lookup.platform_id


def is_of_platform(link: StripeAuthorization, lookup: AccountLookup, owns_client_id: bool) -> bool:
    """
    Return whether *link* was made by the platform whose key was used.

    A link that was never read since it was made does not know its platform's account; its client id
    tells then, where Stripe has just confirmed that this client id and the key belong together.
    """
    if link.platform_account_id is not None:
        return link.platform_account_id == lookup.platform_id
    return owns_client_id and link.client_id == lookup.platform.client_id
