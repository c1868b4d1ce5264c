"""Attempts to link an account: finding the ones that matter, and closing them."""

from datetime import datetime
from math import ceil

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.auth.policy import READ_HISTORY, Caller, require
from app.db.clock import database_now
from app.db.pages import Page
from app.errors import LinkInProgress, ServiceError
from app.extensions import db
from app.models import StripeLinkAttempt
from app.services.events.queries import find_event

INTERRUPTED = (
    "The connection was interrupted before Stripe's answer could be kept."
    " Please connect with Stripe again."
)


def close(
    attempt: StripeLinkAttempt, outcome: str, now: datetime, error: ServiceError | None = None
) -> None:
    """Finish *attempt* and remember what was answered, to answer the same again."""
    attempt.outcome, attempt.finished_at = outcome, now
    if error is not None:
        attempt.status, attempt.error_code = error.status, error.code
        attempt.detail = error.detail[:1000]
        attempt.pointer = error.source.get("pointer")
        attempt.stripe_error = (error.meta or {}).get("stripe-error")


def close_if_expired(session: Session, attempt: StripeLinkAttempt, now: datetime) -> bool:
    """
    Close an attempt whose time is over as interrupted; whoever made it may keep nothing any more.

    The caller holds the event's lock. Returns whether the attempt is finished.
    """
    if attempt.finished_at is None and attempt.expires_at <= now:
        _interrupt(attempt, now)
        session.flush()
    return attempt.finished_at is not None


def _interrupt(attempt: StripeLinkAttempt, now: datetime) -> None:
    attempt.outcome, attempt.finished_at = "interrupted", now
    attempt.error_code, attempt.detail = "code-already-used", INTERRUPTED


def refuse_if_under_way(session: Session, attempt: StripeLinkAttempt | None, now: datetime) -> None:
    """Raise LinkInProgress, saying when to try again, if *attempt* goes on."""
    if attempt is None or close_if_expired(session, attempt, now):
        return
    seconds = max(1, ceil((attempt.expires_at - now).total_seconds()))
    raise LinkInProgress(
        "An account is being connected to this event right now. Please try again in a moment.",
        headers={"Retry-After": str(seconds)},
    )


def list_attempts(
    reference: str, caller: Caller, page: Page
) -> tuple[int, list[StripeLinkAttempt]]:
    """
    Return how often somebody tried to link the event, and a page of it, newest first.

    An attempt whose time is over is shown as interrupted before anybody has closed it. Raises
    NotFound, Forbidden.
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
    for attempt, now in rows:
        if attempt.user is not None:
            attempt.user.role = event.role  # colleagues see each other's address
        if attempt.finished_at is None and attempt.expires_at <= now:
            db.session.expunge(attempt)  # to be shown, not written
            _interrupt(attempt, attempt.expires_at)
    return count or 0, [attempt for attempt, _ in rows]
