"""
The outbox of the mirror: events whose links Open Event Server's database is to hold.

Whatever changes a link of an imported event, or the mode, enqueues the event in the same
transaction; a listener sees to that. What is delivered is the state of that moment, read under the
lock of the event there: a delivery that is late writes nothing old, and no lease is needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import event, inspect, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.clients.open_event import MirrorError, MirrorState, OpenEventDatabase
from app.db.clock import current_time, database_now
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import Conflict, Unavailable
from app.extensions import bound, db
from app.models import ImportedRow, Setting, StripeAuthorization, StripeLinkAttempt, StripeMirror
from app.security.crypto import SecretUnreadable
from app.security.logs import log
from app.services import outbox as generic
from app.services.mirror.state import Unmirrored, state_of

TIMEOUT = 3  # seconds that the other database has
RELEVANT = (
    "event_id",
    "livemode",
    "stripe_user_id",
    "sealed_stripe_secret_key",
    "stripe_publishable_key",
)
HISTORY = (
    "Connected. Open Event Server cannot sell with it, since Stripe issued no access token:"
    " payments must be created by this service."
)
CHANGED = "mirrored events"  # in the session, until it commits


def enqueue(session: Session, event_ids: Any) -> None:
    """Enqueue those of the events (ids, or a SELECT of ids) that were imported."""
    imported = (
        select(ImportedRow.id, database_now(), database_now())
        .where(ImportedRow.source == "events", ImportedRow.id.in_(event_ids))
        .order_by(ImportedRow.id)
    )
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(StripeMirror.__table__).from_select(
        ["event_id", "enqueued_at", "next_try_at"], imported, include_defaults=False
    )
    session.connection().execute(
        statement.on_conflict_do_update(
            index_elements=["event_id"],
            set_={
                "enqueued_at": database_now(),
                "next_try_at": database_now(),
                "done_at": None,
                "tries": 0,
            },
        )
    )


def _note_changes(session: Session, _context: Any, _instances: Any) -> None:
    """Before a flush: enqueue the events whose links it changes; if the mode changes, all."""
    changed = {row.event_id for row in _changed_links(session)}
    is_switch = any(
        isinstance(row, Setting) and inspect(row).attrs.stripe_mode.history.has_changes()
        for row in session.dirty
    )
    if not (changed or is_switch) or bound("mirror") is None:
        return
    if changed:
        enqueue(session, sorted(changed))
    if is_switch:
        enqueue(session, select(StripeAuthorization.event_id))
    noted = session.info.setdefault(CHANGED, set())
    noted.update([0] if is_switch else changed)


def _changed_links(session: Session) -> Iterable[StripeAuthorization]:
    for row in [*session.new, *session.deleted]:
        if isinstance(row, StripeAuthorization):
            yield row
    for row in session.dirty:
        if isinstance(row, StripeAuthorization):
            attributes = inspect(row).attrs
            if any(attributes[name].history.has_changes() for name in RELEVANT):
                yield row


def _send(session: Session) -> None:
    """After a commit: deliver at once, in threads of their own."""
    changed = session.info.pop(CHANGED, None)
    if changed:
        bound("mirror").deliver(sorted(changed))


def _forget(session: Session) -> None:
    session.info.pop(CHANGED, None)


event.listen(db.session, "before_flush", _note_changes)
event.listen(db.session, "after_commit", _send)
event.listen(db.session, "after_rollback", _forget)


@dataclass
class _Attempt:
    """One delivery: when it was claimed, and its outcome."""

    sent_at: datetime
    sent_before: datetime | None
    unmirrored: Unmirrored | None = None
    error: MirrorError | None = None
    problem: str | None = None


def deliver(event_id: int, database: OpenEventDatabase) -> bool:
    """
    Write the event there as it is linked by now; return whether nothing is left to do.

    Never raises a MirrorError: what failed stays pending, for the next try or `stripe reconcile`.
    """
    attempt = _claim(event_id)
    if attempt is None:
        return True
    _write(event_id, database, attempt)
    return _complete(event_id, attempt)


def _claim(event_id: int) -> _Attempt | None:
    """Take the entry for a delivery; None if there is nothing to deliver."""
    with transaction() as session:
        row = _lock(session, event_id)
        if row is None or row.done_at is not None:
            return None
        attempt = _Attempt(current_time(session), row.sent_at)
        generic.claim(row, attempt.sent_at, TIMEOUT)
        return attempt


def _write(event_id: int, database: OpenEventDatabase, attempt: _Attempt) -> None:
    """Write to their database, with no connection to ours, and note in *attempt* how it went."""
    try:
        if database.write(event_id, partial(_decide, event_id, attempt)) == "foreign-row":
            attempt.error = MirrorError("foreign-row", "", needs_person=True)
            attempt.problem = "foreign-row"
    except MirrorError as failure:
        attempt.error, attempt.problem = failure, failure.reason
        log.warning("mirror pending", event_id=event_id, reason=str(failure))
    except SecretUnreadable as failure:
        attempt.error = MirrorError("secret-unreadable", str(failure), needs_person=True)
        log.error("secret unreadable", reason=str(failure))


def _complete(event_id: int, attempt: _Attempt) -> bool:
    """Record the outcome of the delivery; return whether nothing is left to do."""
    error, unmirrored = attempt.error, attempt.unmirrored
    with transaction() as session:
        row = _lock(session, event_id)
        if row is None or row.done_at is not None:
            return True
        generic.complete(
            row,
            current_time(session),
            sent_at=attempt.sent_at,
            sent_before=attempt.sent_before,
            error=_as_error(error),
        )
        row.needs_person = error is not None and error.needs_person
        row.problem = attempt.problem
        if error is None and unmirrored is not None:
            row.problem = unmirrored.problem
            row.needs_person = row.problem != "no-access-token"
            _tell_history(session, event_id, unmirrored)
        return row.done_at is not None


def _decide(event_id: int, attempt: _Attempt, ids: frozenset[int]) -> MirrorState:
    state, attempt.unmirrored = state_of(event_id, ids)
    return state


def _as_error(error: MirrorError | None) -> Conflict | Unavailable | None:
    if error is None:
        return None
    return Conflict(error.reason) if error.needs_person else Unavailable()


def _lock(session: Session, event_id: int) -> StripeMirror | None:
    return session.get(StripeMirror, event_id, with_for_update=True, populate_existing=True)


def _tell_history(session: Session, event_id: int, unmirrored: Unmirrored) -> None:
    session.execute(
        update(StripeLinkAttempt)
        .where(
            StripeLinkAttempt.authorization_id == unmirrored.link_id,
            StripeLinkAttempt.event_id == event_id,
            StripeLinkAttempt.outcome == "linked",
        )
        .values(detail=HISTORY)
        .execution_options(synchronize_session=False)
    )


def is_pending(event_id: int) -> bool | None:
    """
    Return whether the event is still to be written there, after waiting for it a little.

    None without a mirror, or for an event that is not theirs.
    """
    courier = bound("mirror")
    if courier is None:
        return None
    courier.wait()
    rows = read(select(StripeMirror.done_at).where(StripeMirror.event_id == event_id))
    return rows[0].done_at is None if rows else None


def pending(only_due: bool = False) -> list[int]:
    """Return the events that are to be delivered, oldest first."""
    statement = select(StripeMirror.event_id).where(StripeMirror.done_at.is_(None))
    if only_due:
        statement = statement.where(StripeMirror.next_try_at <= database_now())
    return [row.event_id for row in read(statement.order_by(StripeMirror.next_try_at))]
