"""
Giving accounts back to Stripe.

Deauthorizing cuts the account, not one grant of it: every link to it in that mode would end. So
what is owed is decided and written under a lock per account and mode, and paid outside any
transaction.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.clients.stripe import StripeConnect
from app.db.clock import database_now
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import StripeError, StripeRejectedPlatform
from app.models import Setting, StripeAuthorization, StripeDeauthorization
from app.security.logs import log
from app.services.platform.registration import platform_of

LEASE = timedelta(seconds=10)  # beyond the time that Stripe has to answer
# Until when Stripe may have been hearing of a debt: the end of the lease, while it is claimed.
TOLD_UNTIL = func.coalesce(StripeDeauthorization.claimed_until, StripeDeauthorization.sent_at)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=6)


def lock_accounts(session: Session, livemode: bool, *account_ids: str) -> None:
    """
    Let nobody else decide about these accounts before the transaction ends.

    Comes before any lock on an event, always in the same order. SQLite has one writer at a time.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    for account_id in sorted(set(account_ids)):
        key = sha256(f"{livemode}:{account_id}".encode()).digest()[:8]
        number = int.from_bytes(key, signed=True)
        session.execute(select(func.pg_advisory_xact_lock(number)))


def owe(
    session: Session, account_id: str, *, livemode: bool, client_id: str, event_id: int | None
) -> int | None:
    """
    Write down that the account is to be cut; None if a link still uses it (the account is shared).

    The caller holds the account's lock, and has already removed the link that no longer counts.
    Returns the id to `pay`. What is owed already is owed anew: Stripe may be hearing of the earlier
    debt right now, and have connected the account again after that.
    """
    session.flush()
    if _is_used(session, account_id, livemode):
        return None
    owed = session.scalars(
        select(StripeDeauthorization).where(
            StripeDeauthorization.stripe_user_id == account_id,
            StripeDeauthorization.livemode == livemode,
            StripeDeauthorization.client_id == client_id,
            StripeDeauthorization.done_at.is_(None),
        )
    ).one_or_none()
    if owed is None:
        owed = StripeDeauthorization(
            stripe_user_id=account_id, livemode=livemode, client_id=client_id, event_id=event_id
        )
        session.add(owed)
    owed.owed_since = session.scalar(select(database_now()))
    session.flush()
    return owed.id


def _is_used(session: Session, account_id: str, livemode: bool) -> bool:
    used = select(StripeAuthorization.id).where(
        StripeAuthorization.stripe_user_id == account_id,
        StripeAuthorization.livemode == livemode,
    )
    return session.scalar(used.limit(1)) is not None


def cancel(session: Session, account_id: str, livemode: bool) -> None:
    """Forget what is owed for an account that is linked again. The caller holds its lock."""
    session.execute(
        delete(StripeDeauthorization).where(
            StripeDeauthorization.stripe_user_id == account_id,
            StripeDeauthorization.livemode == livemode,
            StripeDeauthorization.done_at.is_(None),
        )
    )


def pay(deauthorization_id: int, stripe: StripeConnect, *, known_tries: int | None = None) -> bool:
    """
    Tell Stripe what is owed; True if it is done, False if it stays owed.

    Never raises a StripeError: what failed is tried again by `stripe reconcile`. Nothing is sent if
    the account is linked again, or while somebody else is telling Stripe; nor if somebody has tried
    since there were *known_tries*.
    """
    claim = _claim(deauthorization_id, timedelta(seconds=stripe.timeout) + LEASE, known_tries)
    if claim is None:
        return _is_done(deauthorization_id)
    error: StripeError | None = None
    try:
        stripe.deauthorize(claim.account_id, client_id=claim.client_id, secret_key=claim.secret_key)
    except StripeError as refusal:
        error = refusal
    return _settle(claim, error)


def _is_done(deauthorization_id: int) -> bool:
    row = StripeDeauthorization
    return bool(read(select(row.id).where(row.id == deauthorization_id, row.done_at.is_not(None))))


@dataclass(frozen=True)
class _Claim:
    id: int
    account_id: str
    client_id: str
    secret_key: str = field(repr=False)
    sent_at: datetime
    sent_before: datetime | None


def _claim(deauthorization_id: int, lease: timedelta, known_tries: int | None) -> _Claim | None:
    """
    Take what is owed for ourselves, for the time of *lease*; None if there is nothing to send.
    """
    with transaction() as session:
        owed = session.get(StripeDeauthorization, deauthorization_id)
        if owed is None:
            return None
        lock_accounts(session, owed.livemode, owed.stripe_user_id)
        owed = _lock(session, deauthorization_id)
        now = session.scalar(select(database_now()))
        if owed is None or owed.done_at or (owed.claimed_until and owed.claimed_until > now):
            return None
        if known_tries not in (None, owed.tries):
            return None
        if _is_used(session, owed.stripe_user_id, owed.livemode):
            session.delete(owed)
            return None
        key = platform_of(
            session.get_one(Setting, 1, populate_existing=True), owed.livemode
        ).secret_key
        if not key:
            _postpone(owed, now, "stripe-not-configured", needs_person=True)
            return None
        claim = _Claim(owed.id, owed.stripe_user_id, owed.client_id, key, now, owed.sent_at)
        owed.tries, owed.error_code = owed.tries + 1, None
        owed.sent_at, owed.claimed_until = now, now + lease
        return claim


def _lock(session: Session, deauthorization_id: int) -> StripeDeauthorization | None:
    return session.get(
        StripeDeauthorization, deauthorization_id, with_for_update=True, populate_existing=True
    )


def _settle(claim: _Claim, error: StripeError | None) -> bool:
    """
    Write down what came of telling Stripe; whether it is done.

    `sent_at` becomes the moment at which we stopped waiting: until then the account may have been
    cut, also one that was connected again after the request had left.
    """
    with transaction() as session:
        owed = _lock(session, claim.id)
        if owed is None or owed.done_at:
            return owed is not None
        now = session.scalar(select(database_now()))
        owed.claimed_until, owed.sent_at = None, now
        if error is None:
            owed.error_code, owed.needs_person = None, False
            if owed.owed_since <= claim.sent_at:
                owed.done_at = now
            else:
                owed.next_try_at = now
            return owed.done_at is not None
        if not error.sent:
            owed.sent_at = claim.sent_before
        _postpone(owed, now, error.code, isinstance(error, StripeRejectedPlatform))
    log.warning("deauthorization pending", code=error.code, cause=error.cause)
    return False


def _postpone(
    owed: StripeDeauthorization, now: datetime, error_code: str, needs_person: bool
) -> None:
    """Plan the next try: exponential back-off, kept in the row."""
    owed.error_code, owed.needs_person = error_code, needs_person
    owed.next_try_at = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(owed.tries, 12))
