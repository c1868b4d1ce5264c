"""
Open Event Server's events and people, at the moment at which somebody asks for them.

Beside a running one, what of an imported event or person decides an answer is theirs: an event's
state, deletion, payments and currency, the roles, and who is blocked. Before anything is changed it
is read there again; for a mere read a copy of the last minute will do. What is not known here is
brought, by the rules of the import and never with an administrator's rights.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from app.clients.bulkhead import Bulkhead, BulkheadFull
from app.db.clock import database_now
from app.db.reads import read
from app.db.transactions import transaction
from app.db.types import FIRST_OWN_ID
from app.errors import NotFound, ServiceError, Unauthenticated, Unavailable
from app.extensions import db
from app.importing import target
from app.importing.deletions import delete_event, linked_accounts
from app.importing.events import map_event
from app.importing.facts import EventFacts, Mapped, SettingsFacts, Unreadable, UserFacts
from app.importing.platform_keys import PREFIXES, choose_settings, map_keys
from app.importing.report import Report
from app.importing.run import Options, start_run
from app.importing.single import (
    EventWithPeople,
    read_event,
    read_twins,
    read_user,
    write_event,
)
from app.importing.source import Source, SourceError
from app.importing.users import ADMIN_FIELDS
from app.importing.write_users import write_users
from app.models import Event, ImportedRow, User
from app.security.logs import log
from app.services.events.queries import THERE_IS_NONE
from app.services.identifiers import IDENTIFIER, NUMBER, read_id

AT_ONCE = 4  # look-ups there, per process
PATIENCE = 5  # seconds for a look-up, and for a place
FRESH = 60.0  # seconds for which a copy is good enough to be read
UNKNOWN_FOR = 10.0  # seconds for which is remembered what they do not have
MOST_UNKNOWN = 10_000  # remembered at a time
# What decides an answer: theirs, whatever was changed here before the two ran side by side.
THEIRS = ("state", "can_pay_by_stripe", "payment_currency")


@dataclass(frozen=True)
class Subject:
    """
    An event or a user that is asked for, by id or identifier, and what is known of it.

    *age* is that of our copy in seconds; None where there is none.
    """

    kind: str
    reference: int | str
    age: float | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether it has to be brought first."""
        return self.age is None


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


class OnDemand:
    """Looks up events and people in the database at *url*. Threads share it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._bulkhead = Bulkhead(AT_ONCE, PATIENCE)
        self._unknown: dict[tuple[str, int | str], float] = {}
        self._away_until = 0.0
        self._lock = threading.Lock()

    def see(self, *, event: str | None = None, user_id: int | None = None) -> None:
        """
        Bring what is not known here, and what is known if our copy is older than a minute.

        Raises Unavailable only for what is not known; what is known is read as it is then. Raises
        Unauthenticated if the user turns out to be blocked, NotFound if the event was deleted.
        """
        stale = [each for each in self._subjects(event, user_id) if (each.age or FRESH) >= FRESH]
        if not stale or (self._is_away() and not any(each.is_unknown for each in stale)):
            return
        try:
            self._bring(stale)
        except (SourceError, BulkheadFull) as error:
            _tell(error)
            if any(each.is_unknown for each in stale):
                raise Unavailable from None

    def see_user(self, user_id: int) -> None:
        """Like `see`, for a user who is asked for and need not be able to sign in."""
        with suppress(Unauthenticated):
            self.see(user_id=user_id)

    def confirm(self, *, event: str | None = None, user_id: int | None = None) -> None:
        """
        Read there again what decides a change of the event by the user.

        Raises Unavailable if that cannot be read, Unauthenticated if the user is blocked by now,
        NotFound if the event was deleted. Holds no connection of ours meanwhile.
        """
        subjects = self._subjects(event, user_id)
        if not subjects:
            return
        try:
            found = self._bring(subjects)
        except (SourceError, BulkheadFull) as error:
            _tell(error)
            raise Unavailable from None
        for subject in subjects:
            if not subject.is_unknown and found.of(subject) is None:
                raise _gone(subject.kind)

    def client_ids(self) -> dict[bool, str | None]:
        """
        Return the platform's client ids there, by livemode.

        Empty where no row of settings counts, or the database does not answer.
        """
        db.session.rollback()
        try:
            with Source(self._url, PATIENCE) as source:
                rows = [row for row in source.settings() if isinstance(row, SettingsFacts)]
        except SourceError as error:
            _tell(error)
            return {}
        chosen, _ = choose_settings(rows, None)
        if chosen is None:
            return {}
        keys = map_keys(chosen).values
        return {livemode: keys[f"{prefix}client_id"] for livemode, prefix in PREFIXES.items()}

    def _subjects(self, event: str | None, user_id: int | None) -> list[Subject]:
        """Return what of event and user is theirs, and not known to be unknown there."""
        wanted = []
        if event is not None and (subject := _find_event(event)):
            wanted.append(subject)
        if user_id is not None and (subject := _find_user(user_id)):
            wanted.append(subject)
        return [each for each in wanted if not (each.is_unknown and self._is_remembered(each))]

    def _bring(self, subjects: list[Subject]) -> Found:
        db.session.rollback()  # no connection of ours is held while theirs is asked
        linked = _linked_accounts(subjects)
        try:
            with self._bulkhead.admitted(), Source(self._url, PATIENCE) as source:
                found = _read(source, subjects, linked)
        except SourceError:
            self._away_until = time.monotonic() + UNKNOWN_FOR
            raise
        self._away_until = 0.0
        self._remember_unknown(subjects, found)
        if found.event is not None or found.user is not None:
            with transaction() as session:
                _write(session, found)
        _judge(found)
        return found

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _is_remembered(self, subject: Subject) -> bool:
        return self._unknown.get((subject.kind, subject.reference), 0.0) > time.monotonic()

    def _remember_unknown(self, subjects: list[Subject], found: Found) -> None:
        now = time.monotonic()
        with self._lock:
            if len(self._unknown) >= MOST_UNKNOWN:
                self._unknown = {key: end for key, end in self._unknown.items() if end > now}
            if len(self._unknown) >= MOST_UNKNOWN:
                self._unknown.clear()
            for subject in subjects:
                if found.of(subject) is None:
                    self._unknown[subject.kind, subject.reference] = now + UNKNOWN_FOR


def _tell(error: Exception) -> None:
    log.warning("open event server's database", reason=str(error) or "too many look-ups at once")


def _find_event(reference: str) -> Subject | None:
    """Return the event if it is theirs; None if it is ours, or can be nobody's."""
    if NUMBER.fullmatch(reference):
        key: int | str = read_id(reference)
        if not 0 < int(key) < FIRST_OWN_ID:
            return None
        return _subject(target.EVENTS, key, select(Event.id).where(Event.id == key))
    if not IDENTIFIER.fullmatch(reference):
        return None
    found = select(Event.id).where(Event.identifier == reference)
    return _subject(target.EVENTS, reference, found)


def _find_user(user_id: int) -> Subject | None:
    if not 0 < user_id < FIRST_OWN_ID:
        return None
    return _subject(target.USERS, user_id, select(User.id).where(User.id == user_id))


def _subject(kind: str, reference: int | str, ours: Select[int]) -> Subject | None:
    row = ours.subquery()
    rows = read(
        select(row.c.id, ImportedRow.read_at, database_now().label("now"))
        .select_from(row)
        .outerjoin(ImportedRow, (ImportedRow.source == kind) & (ImportedRow.id == row.c.id))
    )
    if not rows:
        return Subject(kind, reference)
    if rows[0].read_at is None:
        return None  # made here
    return Subject(kind, rows[0].id, (rows[0].now - rows[0].read_at).total_seconds())


def _linked_accounts(subjects: list[Subject]) -> list[str]:
    """Return the accounts that links of a known event are to, in case it was deleted there."""
    ids = [each.reference for each in subjects if each.kind == target.EVENTS and each.age]
    accounts = sorted(linked_accounts(db.session(), [int(each) for each in ids])) if ids else []
    db.session.rollback()
    return accounts


def _read(source: Source, subjects: list[Subject], linked: list[str]) -> Found:
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


def _write(session: Session, found: Found) -> None:
    run = start_run(session, Options(with_admin_rights=False), Report())
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
        for deletion in run.deletions:
            delete_event(run, deletion, found.accounts_in_use)
        _note(session, target.EVENTS, found.event.event.id)


def _impose(session: Session, found: EventWithPeople) -> None:
    """Take what decides an answer from there, though it was changed on both sides."""
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
    """Block here, and end the sessions of, somebody who is blocked there."""
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
    """Note that our copy is of this moment."""
    session.connection().execute(
        update(ImportedRow.__table__)
        .where(ImportedRow.source == kind, ImportedRow.id == row_id)
        .values(read_at=database_now())
    )


def _judge(found: Found) -> None:
    """Refuse what they have just told to be over, whatever is left of it here."""
    user = found.user
    if isinstance(user, UserFacts) and (user.is_blocked or user.deleted_at is not None):
        raise _gone(target.USERS)
    if found.event is not None and _deleted_at(found.event.event) is not None:
        raise _gone(target.EVENTS)


def _gone(kind: str) -> ServiceError:
    if kind == target.USERS:
        return Unauthenticated("The session has ended. Please sign in again.")
    return NotFound(THERE_IS_NONE, field="event")


def _deleted_at(event: EventFacts | Unreadable) -> Any:
    return None if isinstance(event, Unreadable) else event.deleted_at
