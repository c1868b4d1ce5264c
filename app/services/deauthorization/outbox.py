"""
The outbox of deauthorizations: accounts that Stripe is to disconnect from the platform.

Deauthorizing disconnects the account, not one grant of it: every link to it in that mode would end.
So whether an account is deauthorized is decided under a lock per account and mode, and delivered
outside any transaction. The pattern is that of `app/services/outbox.py`.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.clients.stripe import AccountControlled, StripeConnect
from app.db.clock import current_time
from app.db.transactions import transaction
from app.errors import StripeError
from app.models import Setting, StripeDeauthorization
from app.security.crypto import SecretUnreadable
from app.security.logs import log
from app.services import audit
from app.services import outbox as generic
from app.services.accounts import connections
from app.services.accounts.links import AccountKey, has_links, lock_accounts
from app.services.deauthorization.queries import IS_PENDING, is_of
from app.services.outbox import Delivery
from app.services.platform.registration import platform_of


def enqueue(
    session: Session, account: AccountKey, *, client_id: str, event_id: int | None
) -> int | None:
    """
    Enqueue the deauthorization of *account*; None if a link still uses it (the account is shared),
    or if this platform created it (it is kept).

    The caller holds the account's lock and has already removed the link that no longer counts.
    Returns the id to `deliver`. One that is pending already is enqueued anew: Stripe may be reading
    the earlier one right now, and have connected the account again after that.
    """
    session.flush()
    if has_links(session, account) or connections.is_created_here(session, account):
        return None
    now = current_time(session)
    connections.end_oauth(session, account, now)
    row = session.scalars(
        select(StripeDeauthorization).where(
            is_of(account), IS_PENDING, StripeDeauthorization.client_id == client_id
        )
    ).one_or_none()
    if row is None:
        row = StripeDeauthorization(
            stripe_user_id=account.account_id,
            livemode=account.livemode,
            client_id=client_id,
            event_id=event_id,
        )
        session.add(row)
    row.enqueued_at = now
    session.flush()
    return row.id


def cancel(session: Session, account: AccountKey) -> None:
    """Cancel what is pending for an account that is linked again. The caller holds its lock."""
    session.execute(delete(StripeDeauthorization).where(is_of(account), IS_PENDING))


def deliver(
    deauthorization_id: int, stripe: StripeConnect, *, known_tries: int | None = None
) -> Delivery:
    """
    Tell Stripe to disconnect the account; return what became of it.

    Never raises a StripeError: what failed stays pending, for `stripe reconcile`. Nothing is sent
    if the account is linked again, while another process is delivering the same one, or if another
    process has tried since there were *known_tries*.
    """
    claim = _claim(deauthorization_id, stripe.timeout, known_tries)
    if not isinstance(claim, _Claim):
        return claim
    error: StripeError | None = None
    is_kept = False
    try:
        stripe.deauthorize(
            claim.account.account_id, client_id=claim.client_id, secret_key=claim.secret_key
        )
    except AccountControlled:
        is_kept = True
    except StripeError as failure:
        error = failure
    return _complete(claim, error, is_kept=is_kept)


@dataclass(frozen=True)
class _Claim:
    id: int
    account: AccountKey
    client_id: str
    secret_key: str = field(repr=False)
    sent_at: datetime
    sent_before: datetime | None


def _claim(deauthorization_id: int, timeout: float, known_tries: int | None) -> _Claim | Delivery:
    with transaction() as session:
        row = session.get(StripeDeauthorization, deauthorization_id)
        if row is None:
            return "pending"  # cancelled: the account is linked again
        account = AccountKey(row.stripe_user_id, row.livemode)
        lock_accounts(session, account)
        row = _lock(session, deauthorization_id)
        if row is None or row.done_at is not None:
            return "pending" if row is None else "done"
        now = current_time(session)
        if not generic.is_claimable(row, now):
            return "in-delivery"
        if known_tries not in (None, row.tries):
            return "pending"
        if has_links(session, account):
            session.delete(row)
            return "pending"
        setting = session.get_one(Setting, 1, populate_existing=True)
        try:
            secret_key = platform_of(setting, account.livemode).secret_key
        except SecretUnreadable as error:  # the link is erased already, so the request goes on
            log.error("secret unreadable", reason=str(error))
            generic.postpone(row, now, "secret-unreadable")
            return "pending"
        if not secret_key:
            generic.postpone(row, now, "stripe-not-configured")
            return "pending"
        claim = _Claim(row.id, account, row.client_id, secret_key, now, row.sent_at)
        generic.claim(row, now, timeout)
        return claim


def _lock(session: Session, deauthorization_id: int) -> StripeDeauthorization | None:
    return session.get(
        StripeDeauthorization, deauthorization_id, with_for_update=True, populate_existing=True
    )


def _complete(claim: _Claim, error: StripeError | None, *, is_kept: bool) -> Delivery:
    with transaction() as session:
        lock_accounts(session, claim.account)
        row = _lock(session, claim.id)
        if row is None:
            return "pending"
        if row.done_at is None:
            generic.complete(
                row,
                current_time(session),
                sent_at=claim.sent_at,
                sent_before=claim.sent_before,
                error=error,
            )
        is_done = row.done_at is not None
        if is_kept:
            connections.keep(session, claim.account, row.enqueued_at)
    if error is not None:
        log.warning("deauthorization pending", code=error.code, cause=error.cause)
    if is_done:
        return "kept" if is_kept else "done"
    return "pending"


def record_disconnection(session: Session, account: AccountKey, client_id: str) -> None:
    """
    Remember that *account* was disconnected, by now at the latest. The caller holds its lock.

    An attempt to link it that began before must then ask Stripe whether it is connected all the
    same, before it keeps the account.
    """
    now = current_time(session)
    session.add(
        StripeDeauthorization(
            stripe_user_id=account.account_id,
            livemode=account.livemode,
            client_id=client_id,
            sent_at=now,
            done_at=now,
        )
    )


def mark_disconnected(
    session: Session, account: AccountKey, client_id: str, seen_at: datetime
) -> None:
    """
    Finish what is pending for an account that Stripe no longer knew as connected at *seen_at*.

    What was enqueued since stays, and so does what another process is delivering right now, which
    will learn it from Stripe. The caller holds the account's lock.
    """
    now = current_time(session)
    claimed_until = StripeDeauthorization.claimed_until
    session.execute(
        update(StripeDeauthorization)
        .where(
            is_of(account),
            IS_PENDING,
            StripeDeauthorization.client_id == client_id,
            StripeDeauthorization.enqueued_at <= seen_at,
            claimed_until.is_(None) | (claimed_until <= now),
        )
        .values(done_at=now, claimed_until=None, error_code=None, needs_person=False)
        .execution_options(synchronize_session=False)
    )


def mark_done(account_id: str) -> int:
    """
    Finish what is pending for the account, in both modes: a person has disconnected it.

    The only way out where Stripe will never take it from us, because the keys of a former platform
    are gone. Returns how many there were; the audit trail has each.
    """
    with transaction() as session:
        accounts = [AccountKey(account_id, livemode) for livemode in (False, True)]
        lock_accounts(session, *accounts)
        now = current_time(session)
        rows = session.scalars(
            select(StripeDeauthorization).where(
                StripeDeauthorization.stripe_user_id == account_id, IS_PENDING
            )
        ).all()
        for row in rows:
            generic.mark_done(row, now)
            audit.record("stripe-deauthorization.forget", account_id, event_id=row.event_id)
    return len(rows)
