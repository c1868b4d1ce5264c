"""Counting what the database's library tells us: connections in use, and attempts that ended."""

from typing import Any

from sqlalchemy import Engine, event, inspect
from sqlalchemy.orm import Session

from app.models import StripeLinkAttempt
from app.telemetry.metrics import ATTEMPTS, POOL_IN_USE

ENDED = "attempts that ended"


def watch_pool(engine: Engine) -> None:
    """Count the connections of *engine* that are in use."""
    event.listen(engine, "checkout", lambda *_: POOL_IN_USE.inc())
    event.listen(engine, "checkin", lambda *_: POOL_IN_USE.dec())


def watch_attempts() -> None:
    """Count attempts by outcome, once the transaction that ended them is committed. Idempotent."""
    if not event.contains(Session, "after_flush", _notice):
        event.listen(Session, "after_flush", _notice)
        event.listen(Session, "after_commit", _count)
        event.listen(Session, "after_soft_rollback", _forget)


def _notice(session: Session, _context: Any) -> None:
    for row in session.dirty | session.new:
        is_ended = isinstance(row, StripeLinkAttempt) and row.outcome is not None
        if is_ended and inspect(row).attrs.outcome.history.added:
            session.info.setdefault(ENDED, []).append(row.outcome)


def _count(session: Session) -> None:
    for outcome in session.info.pop(ENDED, []):
        ATTEMPTS.labels(outcome).inc()


def _forget(session: Session, _previous: Any) -> None:
    session.info.pop(ENDED, None)
