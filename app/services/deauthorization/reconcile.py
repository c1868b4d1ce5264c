"""
Finishes what was left undone. Idempotent, and safe to run concurrently.

Each piece of work is claimed in the database for itself, by the code that also does it elsewhere:
a second run finds it done or claimed.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.clients.stripe import StripeConnect
from app.db.clock import current_time, database_now
from app.db.reads import read, read_time
from app.db.transactions import transaction
from app.errors import StripeBusy
from app.extensions import db
from app.models import Event, StripeAuthorization, StripeDeauthorization, StripeLinkAttempt
from app.security.crypto import SecretUnreadable
from app.services.accounts import status
from app.services.deauthorization import outbox
from app.services.deauthorization.problems import find_problems, rejected_account
from app.services.deauthorization.queries import IS_PENDING, look_up
from app.services.linking import attempts
from app.services.mirror import reconcile as mirror
from app.services.mirror.reconcile import MirrorReport
from app.services.outbox import LEASE, Delivery
from app.services.payments import unclear
from app.services.payments.unclear import Resumed
from app.services.purge import purge

MOST_ACCOUNTS = 200  # refreshed in one run
NOT_REFRESHED_FOR = timedelta(days=1)  # after that an account is due
UNKNOWN_FOR = timedelta(minutes=15)  # after that one is due whose status is not known
JUST_NOW = timedelta(seconds=1)  # between runs that begin together
PATIENCE = 3  # unanswered calls in a row, after which Stripe is not asked any more
PAUSE = 0.25  # seconds between two looks at a delivery under way
Track = Callable[[str, Sequence[Any]], Iterable[Any]]


@dataclass
class ReconcileReport:
    """What a run has done. Each of *problems* is a sentence on something that needs a person."""

    closed: int = 0
    tried: int = 0
    delivered: int = 0
    pending: int = 0
    in_delivery: int = 0
    payments: Resumed = field(default_factory=Resumed)
    mirror: MirrorReport | None = None
    refreshed: int = 0
    disconnected: list[str] = field(default_factory=list)
    purged: int = 0
    problems: list[str] = field(default_factory=list)


def reconcile(
    stripe: StripeConnect, *, only_due: bool = False, track: Track = lambda label, items: items
) -> ReconcileReport:
    """
    Close expired attempts, deliver pending deauthorizations, finish unclear payments, refresh
    accounts, put Open Event Server's database right where it is mirrored, and purge.

    With *only_due*, what failed lately waits for its back-off, what another process is delivering
    is left to it, and an account is refreshed once a day. Without, everything is done now, after
    waiting for deliveries under way (at most the time of one lease). *track* may show progress. A
    secret that no key opens is a problem, and stops only what needs it.
    """
    started = read_time()
    report = ReconcileReport()
    report.closed = sum(map(_close, track("Attempts", _expired_attempts())))
    _deliver(report, stripe, track, started if only_due else None)
    with _noting_unreadable(report):
        unclear_payments = unclear.find_unclear(only_due=only_due)
        report.payments = unclear.resume_unclear(track("Payments", unclear_payments), stripe)
    _refresh_accounts(report, stripe, track, started, only_due=only_due)
    with _noting_unreadable(report):
        report.mirror = mirror.reconcile(only_due=only_due)
    report.purged = purge()
    if report.mirror is not None:
        report.problems += report.mirror.problems
    report.problems += unclear.find_problems()
    report.problems += find_problems()  # the last, because some are reported once
    return report


@contextmanager
def _noting_unreadable(report: ReconcileReport) -> Iterator[None]:
    """Add a secret that no key opens to the problems, once, and go on."""
    try:
        yield
    except SecretUnreadable as error:
        db.session.rollback()
        if str(error) not in report.problems:
            report.problems.append(str(error))


def _expired_attempts() -> list[int]:
    expired = select(StripeLinkAttempt.id).where(
        StripeLinkAttempt.finished_at.is_(None), StripeLinkAttempt.expires_at <= database_now()
    )
    return [row.id for row in read(expired.order_by(StripeLinkAttempt.id))]


def _close(attempt_id: int) -> bool:
    """Close the attempt as interrupted, unless it was finished meanwhile."""
    with transaction() as session:
        _lock_event_of(session, attempt_id)
        attempt = session.get(StripeLinkAttempt, attempt_id, populate_existing=True)
        if attempt is None or attempt.finished_at is not None:
            return False
        return attempts.close_if_expired(session, attempt, current_time(session))


def _lock_event_of(session: Session, attempt_id: int) -> None:
    event_id = select(StripeLinkAttempt.event_id).where(StripeLinkAttempt.id == attempt_id)
    session.execute(
        select(Event.id)
        .where(Event.id == event_id.scalar_subquery())
        .with_for_update(key_share=True)
    )


def _deliver(
    report: ReconcileReport, stripe: StripeConnect, track: Track, due_until: datetime | None
) -> None:
    """
    Deliver pending deauthorizations; the first, so that a lease is waited for once, not per row.

    The number of tries goes along, so that of several runs that began together one tries.
    """
    give_up = time.monotonic()
    if due_until is None:
        give_up += stripe.timeout + LEASE.total_seconds()
    failures = 0
    for row in track("Deauthorizations", _pending(due_until)):
        if failures == PATIENCE:
            break
        outcome = outbox.deliver(row.id, stripe, known_tries=row.tries)
        report.tried += 1
        if outcome == "in-delivery":
            outcome = _take_over(row.id, stripe, give_up)
        if outcome in ("done", "kept"):
            report.delivered, failures = report.delivered + 1, 0
        elif outcome == "pending":
            failures = failures + 1 if _was_unanswered(row.id) else 0
        else:
            report.in_delivery += 1
    report.pending = len(_pending(None))


def _take_over(deauthorization_id: int, stripe: StripeConnect, give_up: float) -> Delivery:
    """
    Wait for the process that is delivering; if it is dead, its lease ends: deliver in its place.

    If it comes back with a failure, that was the try of this run.
    """
    while True:
        pending = look_up(deauthorization_id)
        if pending is None:
            return "done"
        if pending.lease_ended:
            outcome = outbox.deliver(deauthorization_id, stripe, known_tries=pending.tries)
            if outcome != "in-delivery":
                return outcome
        elif not pending.is_claimed:
            return "pending"
        if time.monotonic() >= give_up:
            return "in-delivery"
        time.sleep(PAUSE)


def _pending(due_until: datetime | None) -> Sequence[Any]:
    row = StripeDeauthorization
    pending = select(row.id, row.tries).where(IS_PENDING)
    if due_until is not None:
        pending = pending.where(row.next_try_at <= due_until)
    return read(pending.order_by(row.next_try_at, row.id))


def _was_unanswered(deauthorization_id: int) -> bool:
    row = StripeDeauthorization
    codes = read(select(row.error_code).where(row.id == deauthorization_id))
    return any(each.error_code in ("stripe-unreachable", "stripe-timeout") for each in codes)


def _refresh_accounts(
    report: ReconcileReport,
    stripe: StripeConnect,
    track: Track,
    started: datetime,
    *,
    only_due: bool,
) -> None:
    """Refresh the accounts that were not refreshed for longest."""
    known_since = started - (NOT_REFRESHED_FOR if only_due else JUST_NOW)
    asked_since = started - (UNKNOWN_FOR if only_due else JUST_NOW)
    failures = 0
    for account_id, livemode in track("Accounts", _accounts(known_since, asked_since)):
        if failures == PATIENCE:
            return
        with _noting_unreadable(report):
            try:
                found = status.refresh(account_id, livemode, stripe, unless_since=asked_since)
            except StripeBusy:
                return
            failures = failures + 1 if found.outcome == "unknown" else 0
            report.refreshed += found.outcome in ("recorded", "disconnected")
            if found.outcome == "disconnected":
                report.disconnected.append(account_id)
            if found.problem is not None:
                report.problems.append(rejected_account(account_id, livemode, found.problem))


def _accounts(known_since: datetime, asked_since: datetime) -> list[tuple[str, bool]]:
    """
    Return the accounts that were last asked for before *known_since*, or before *asked_since* if
    their status is not known.
    """
    row = StripeAuthorization
    checked_at, oldest = row.account_checked_at, func.min(row.account_checked_at)
    is_unknown = (row.account_status == "unknown") & (checked_at <= asked_since)
    found = read(
        select(row.stripe_user_id, row.livemode)
        .where(checked_at.is_(None) | (checked_at <= known_since) | is_unknown)
        .group_by(row.stripe_user_id, row.livemode)
        .order_by(oldest.nulls_first())
        .limit(MOST_ACCOUNTS)
    )
    return [(each.stripe_user_id, each.livemode) for each in found]
