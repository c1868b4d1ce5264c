"""
One look-up in Open Event Server's database: what it finds, and writing that here.

It follows the rules of the import, but never grants an administrator's rights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db.clock import database_now
from app.errors import NotFound, ServiceError, SessionEnded
from app.importing import target
from app.importing.deletions import delete_events
from app.importing.events import map_event
from app.importing.facts import EventFacts, Mapped, Unreadable, UserFacts
from app.importing.report import ImportReport
from app.importing.run import Options, start_run
from app.importing.single import (
    EventWithPeople,
    read_event,
    read_twins,
    read_user,
    write_event,
)
from app.importing.source import Source
from app.importing.subjects import Subject
from app.importing.users import ADMIN_FIELDS
from app.importing.write_users import write_users
from app.models import Event, ImportedRow, User
from app.services.events.queries import THERE_IS_NONE

# What decides an answer: theirs, whatever was changed here before the two ran side by side.
THEIRS = ("state", "can_pay_by_stripe", "payment_currency")


@dataclass(frozen=True)
class Found:
    """What was read there."""

    event: EventWithPeople | None = None
    accounts_in_use: frozenset[str] = frozenset()
    user: UserFacts | Unreadable | None = None
    twins: Mapping[int, int] = field(default_factory=dict)

    def of(self, subject: Subject) -> Any:
        """Return what was found of *subject*; None if it is not there."""
        return self.event if subject.kind == target.EVENTS else self.user


def read_found(source: Source, subjects: list[Subject], linked: list[str]) -> Found:
    """
    Return what is there of *subjects*; *linked* are the accounts to which a known event is linked.

    Raises SourceError.
    """
    event = user = None
    in_use: frozenset[str] = frozenset()
    twins: dict[int, int] = {}
    for subject in subjects:
        if subject.kind == target.EVENTS:
            event = read_event(source, reference=subject.reference)
            in_use = _accounts_in_use(source, event, linked)
        else:
            user = read_user(source, int(subject.reference))
            twins = read_twins(source, [user]) if user is not None and subject.is_unknown else {}
    return Found(event, in_use, user, twins)


def _accounts_in_use(
    source: Source, found: EventWithPeople | None, linked: list[str]
) -> frozenset[str]:
    """Return the accounts that links of other events there need, if this one was deleted."""
    if not linked or found is None or _deleted_at(found.event) is None:
        return frozenset()
    rows = source.rows(source.queries.accounts_in_use(), {"accounts": linked})
    return frozenset(row[0] for row in rows)


def write_found(session: Session, found: Found) -> None:
    """Write what was found, in the current transaction. Raises SecretUnreadable."""
    run = start_run(session, Options(with_admin_rights=False), ImportReport())
    run.held_fields = ADMIN_FIELDS
    if found.user is not None:
        write_users(run, [found.user], found.twins)
        _impose_block(session, found.user)
        _note(session, target.USERS, found.user.id)
    if found.event is not None:
        write_event(run, found.event)
        for user in found.event.users:
            _impose_block(session, user)
        _impose(session, found.event)
        delete_events(run, run.deletions, found.accounts_in_use)
        _note(session, target.EVENTS, found.event.event.id)


def _impose(session: Session, found: EventWithPeople) -> None:
    """Take what decides an answer from there, even if both sides changed it."""
    if isinstance(found.event, Unreadable):
        return
    mapped = map_event(found.event, is_twin=found.is_twin)
    if isinstance(mapped, Mapped):
        theirs = {name: mapped.values[name] for name in THEIRS}
        session.connection().execute(
            update(Event.__table__)
            .where(Event.id == found.event.id, _is_imported(target.EVENTS, Event.id))
            .values(theirs)
        )


def _impose_block(session: Session, user: UserFacts | Unreadable) -> None:
    """Block a user who is blocked there, and end their sessions."""
    if isinstance(user, Unreadable) or not user.is_blocked:
        return
    session.connection().execute(
        update(User.__table__)
        .where(User.id == user.id, ~User.is_blocked, _is_imported(target.USERS, User.id))
        .values(is_blocked=True, session_generation=User.session_generation + 1)
    )


def _is_imported(kind: str, row_id: Any) -> Any:
    of_kind = select(ImportedRow.id).where(ImportedRow.source == kind, ImportedRow.id == row_id)
    return of_kind.exists()


def _note(session: Session, kind: str, row_id: int) -> None:
    """Record that our copy is up to date."""
    session.connection().execute(
        update(ImportedRow.__table__)
        .where(ImportedRow.source == kind, ImportedRow.id == row_id)
        .values(read_at=database_now())
    )


def refuse_ended(found: Found) -> None:
    """Refuse what they have just told to be over, whatever is left of it here."""
    user = found.user
    if isinstance(user, UserFacts) and (user.is_blocked or user.deleted_at is not None):
        raise gone(target.USERS)
    if found.event is not None and _deleted_at(found.event.event) is not None:
        raise gone(target.EVENTS)


def gone(kind: str) -> ServiceError:
    """Return the refusal for a caller or an event that is no longer there."""
    if kind == target.USERS:
        return SessionEnded()
    return NotFound(THERE_IS_NONE, field="event")


def _deleted_at(event: EventFacts | Unreadable) -> Any:
    return None if isinstance(event, Unreadable) else event.deleted_at
