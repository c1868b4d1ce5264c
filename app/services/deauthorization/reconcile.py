"""
Putting right what was left undone, as often as one likes and in any number of runs at once.

Each piece of work is claimed in the database for itself, by the code that also does it elsewhere:
whoever comes second finds it done or taken.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.clients.stripe import StripeConnect
from app.db.clock import database_now
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import StripeBusy
from app.models import Event, StripeAuthorization, StripeDeauthorization, StripeLinkAttempt
from app.services.accounts import status
from app.services.deauthorization import outbox
from app.services.linking import attempts
from app.services.purge import purge

MOST_ACCOUNTS = 200  # looked at in one run
NOT_LOOKED_AT_FOR = timedelta(days=1)  # that is when an account is due
JUST_NOW = timedelta(seconds=1)  # between runs that begin together
PATIENCE = 3  # failures in a row, after which Stripe is not bothered further
Track = Callable[[str, Sequence[Any]], Iterable[Any]]


@dataclass
class Report:
    """What a run has done. Each of *problems* is a sentence on something that needs a person."""

    closed: int = 0
    paid: int = 0
    pending: int = 0
    looked_at: int = 0
    disconnected: list[str] = field(default_factory=list)
    purged: int = 0
    problems: list[str] = field(default_factory=list)


def reconcile(
    stripe: StripeConnect, *, only_due: bool = False, track: Track = lambda label, items: items
) -> Report:
    """
    Close attempts whose time is over, pay what is owed to Stripe, look at accounts, and purge.

    With *only_due*, what failed lately waits for its back-off, and an account is looked at once a
    day; without, everything that is left is done now. *track* may show the progress.
    """
    started = read(select(database_now()))[0][0]
    unless_since = started - (NOT_LOOKED_AT_FOR if only_due else JUST_NOW)
    report = Report()
    report.closed = sum(map(_close, track("Attempts", _expired_attempts())))
    _pay_debts(report, stripe, track, started if only_due else None)
    _look_at_accounts(report, stripe, track, unless_since)
    report.purged = purge()
    report.problems = [*_debts_for_a_person(), *_interrupted_attempts()]
    return report


def _expired_attempts() -> list[int]:
    expired = select(StripeLinkAttempt.id).where(
        StripeLinkAttempt.finished_at.is_(None), StripeLinkAttempt.expires_at <= database_now()
    )
    return [row.id for row in read(expired.order_by(StripeLinkAttempt.id))]


def _close(attempt_id: int) -> bool:
    """Close the attempt as interrupted, unless somebody finished it meanwhile."""
    with transaction() as session:
        _lock_event_of(session, attempt_id)
        attempt = session.get(StripeLinkAttempt, attempt_id, populate_existing=True)
        now = session.scalar(select(database_now()))
        if attempt is None or attempt.finished_at is not None:
            return False
        return attempts.close_if_expired(session, attempt, now)


def _lock_event_of(session: Session, attempt_id: int) -> None:
    event_id = select(StripeLinkAttempt.event_id).where(StripeLinkAttempt.id == attempt_id)
    session.execute(
        select(Event.id)
        .where(Event.id == event_id.scalar_subquery())
        .with_for_update(key_share=True)
    )


def _pay_debts(
    report: Report, stripe: StripeConnect, track: Track, due_until: datetime | None
) -> None:
    """
    Tell Stripe what is owed. Nobody waits for another run: what it has claimed is passed over.

    The number of tries goes along, so that of several runs that began together one tries.
    """
    debts = _debts(due_until)
    failures = 0
    for debt in track("Deauthorizations", debts):
        if failures == PATIENCE:
            break
        if outbox.pay(debt.id, stripe, known_tries=debt.tries):
            report.paid, failures = report.paid + 1, 0
        else:
            failures = failures + 1 if _was_unanswered(debt.id) else 0
    report.pending = len(_debts(None))


def _debts(due_until: datetime | None) -> Sequence[Any]:
    row = StripeDeauthorization
    owed = select(row.id, row.tries).where(row.done_at.is_(None))
    if due_until is not None:
        owed = owed.where(row.next_try_at <= due_until)
    return read(owed.order_by(row.next_try_at, row.id))


def _was_unanswered(deauthorization_id: int) -> bool:
    row = StripeDeauthorization
    codes = read(select(row.error_code).where(row.id == deauthorization_id))
    return any(each.error_code in ("stripe-unreachable", "stripe-timeout") for each in codes)


def _look_at_accounts(
    report: Report, stripe: StripeConnect, track: Track, unless_since: datetime
) -> None:
    """Look at the accounts that nobody has looked at for longest."""
    failures = 0
    for account_id, livemode in track("Accounts", _accounts(unless_since)):
        if failures == PATIENCE:
            return
        try:
            found = status.refresh(account_id, livemode, stripe, unless_since=unless_since)
        except StripeBusy:
            return
        failures = failures + 1 if found == "unknown" else 0
        report.looked_at += found != "not-due"
        if found == "disconnected":
            report.disconnected.append(account_id)


def _accounts(unless_since: datetime) -> list[tuple[str, bool]]:
    row = StripeAuthorization
    oldest = func.min(row.account_checked_at)
    found = read(
        select(row.stripe_user_id, row.livemode)
        .where(row.account_checked_at.is_(None) | (row.account_checked_at <= unless_since))
        .group_by(row.stripe_user_id, row.livemode)
        .order_by(oldest.nulls_first())
        .limit(MOST_ACCOUNTS)
    )
    return [(each.stripe_user_id, each.livemode) for each in found]


def _debts_for_a_person() -> list[str]:
    row = StripeDeauthorization
    found = read(
        select(row.stripe_user_id, row.livemode, row.client_id, row.error_code)
        .where(row.done_at.is_(None), row.needs_person)
        .order_by(row.id)
    )
    return [
        f"Account {each.stripe_user_id} ({_mode(each.livemode)} mode) could not be disconnected"
        f" from {each.client_id}: {each.error_code}. Check the platform's keys with 'stripe check';"
        " or disconnect it in the dashboard of that platform, and say so with"
        f" 'stripe reconcile --forget {each.stripe_user_id}'."
        for each in found
    ]


def _interrupted_attempts() -> list[str]:
    """Return a sentence for each attempt that ended without an answer; each is told once."""
    row = StripeLinkAttempt
    with transaction() as session:
        found = session.execute(
            update(row)
            .where(row.outcome == "interrupted", row.reported_at.is_(None))
            .values(reported_at=database_now())
            .returning(row.id, row.event_id, row.livemode, row.started_at)
            .execution_options(synchronize_session=False)
        ).all()
    return [
        f"Attempt {each.id} to link event {each.event_id} ({_mode(each.livemode)} mode, begun"
        f" {each.started_at:%Y-%m-%d %H:%M} UTC) was interrupted. Stripe may have connected an"
        " account that is not kept here: the log has it as needs-person if its id became known."
        for each in sorted(found)
    ]


def _mode(livemode: bool) -> str:
    return "live" if livemode else "test"
