"""
Attempts to link an account: starting, finishing and listing them.

An attempt is committed before anything is sent, with a lease, and finished exactly once. The
pattern serves any call that must not be made twice: a row with a unique key that is committed
first; an outcome that is stored and answered again; `expires_at`, after which the next one that
comes finishes the row for a process that died, so that no cleaner is needed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload

from app.auth.policy import READ_HISTORY, Caller, Role, require
from app.db.clock import current_time, database_now
from app.db.pages import Page
from app.errors import ServiceError
from app.extensions import db
from app.models import StripeLinkAttempt
from app.services.events.queries import find_event
from app.services.linking.admission import refuse_while_under_way
from app.services.linking.outcome import INTERRUPTED, Outcome, is_expired
from app.services.users import UserView, view_of

# Beyond the time that Stripe has to answer: a little less than the 10 s that are promised, so that
# a request at their very end is served.
LEASE = timedelta(seconds=9.5)


def finish(
    attempt: StripeLinkAttempt, outcome: Outcome, now: datetime, error: ServiceError | None = None
) -> None:
    """Finish *attempt* and store what was answered, to answer the same again."""
    attempt.outcome, attempt.finished_at = outcome, now
    if error is not None:
        attempt.status, attempt.error_code = error.status, error.code
        attempt.detail = error.detail[:1000]
        attempt.pointer = error.field or error.source.get("pointer")
        attempt.stripe_error = (error.meta or {}).get("stripe-error")


def close_if_expired(session: Session, attempt: StripeLinkAttempt | None, now: datetime) -> bool:
    """
    Finish an attempt whose lease has ended as interrupted; it may store nothing any more.

    The caller holds the event's lock. Returns whether that was so.
    """
    if attempt is None or not is_expired(attempt, now):
        return False
    attempt.outcome, attempt.finished_at = "interrupted", now
    attempt.error_code, attempt.detail = "code-already-used", INTERRUPTED
    session.flush()
    return True


def is_unfinished(event_id: int) -> ColumnElement[bool]:
    """Return the condition that an attempt is the event's unfinished one."""
    return (StripeLinkAttempt.event_id == event_id) & StripeLinkAttempt.finished_at.is_(None)


def refuse_while_linking(session: Session, event_id: int) -> None:
    """
    Raise LinkInProgress while an attempt to link the event goes on; an expired one is closed.

    The caller holds the event's lock.
    """
    unfinished = session.scalars(select(StripeLinkAttempt).where(is_unfinished(event_id)))
    attempt, now = unfinished.one_or_none(), current_time(session)
    close_if_expired(session, attempt, now)
    refuse_while_under_way(attempt, now)


@dataclass(frozen=True, slots=True)
class AttemptView:
    """An attempt as a caller with *role* at its event sees it."""

    id: int
    role: Role
    outcome: str | None
    error_code: str | None
    detail: str | None
    livemode: bool
    method: str
    state_checked: bool
    started_at: datetime
    finished_at: datetime | None
    user: UserView | None

    @property
    def user_id(self) -> int | None:
        """The id of the user, for links."""
        return None if self.user is None else self.user.id


def list_attempts(reference: str, caller: Caller, page: Page) -> tuple[int, list[AttemptView]]:
    """
    Return how many attempts to link the event there were, and a page of them, newest first.

    An expired attempt is shown as interrupted even before it is closed. Raises NotFound,
    Forbidden.
    """
    event = find_event(reference, caller)
    require(event.role, READ_HISTORY)
    of_event = StripeLinkAttempt.event_id == event.id
    count = db.session.scalar(select(func.count()).select_from(StripeLinkAttempt).where(of_event))
    found = (
        select(StripeLinkAttempt, database_now())
        .where(of_event)
        .options(joinedload(StripeLinkAttempt.user))
    )
    rows = db.session.execute(page.of(found, StripeLinkAttempt.id.desc())).all()
    return count or 0, [_to_view(attempt, now, event.role) for attempt, now in rows]


def _to_view(attempt: StripeLinkAttempt, now: datetime, role: Role) -> AttemptView:
    expired = is_expired(attempt, now)
    return AttemptView(
        id=attempt.id,
        role=role,
        outcome="interrupted" if expired else attempt.outcome,
        error_code="code-already-used" if expired else attempt.error_code,
        detail=INTERRUPTED if expired else attempt.detail,
        livemode=attempt.livemode,
        method=attempt.method,
        state_checked=attempt.state_checked,
        started_at=attempt.started_at,
        finished_at=attempt.expires_at if expired else attempt.finished_at,
        user=None if attempt.user is None else view_of(attempt.user, role),
    )
