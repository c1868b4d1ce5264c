"""
Open Event Server's events and people, fetched when they are asked for.

Beside a running one, what of an imported event or person decides an answer is theirs: an event's
state, deletion, payments and currency, the roles, and who is blocked. Before anything is changed it
is read there again; for a mere read a copy of the last minute will do. What is not known here is
imported at that moment.
"""

import threading
import time
from contextlib import suppress

from app.db.transactions import transaction
from app.errors import Unauthenticated, Unavailable
from app.extensions import db
from app.importing import target
from app.importing.deletions import linked_accounts
from app.importing.facts import SettingsFacts
from app.importing.lookup import Found, gone, read_found, refuse_ended, write_found
from app.importing.platform_keys import PREFIXES, choose_settings, map_keys
from app.importing.source import Source, SourceError
from app.importing.subjects import Subject, find_event_subject, find_user_subject
from app.security.bulkhead import Bulkhead, BulkheadFull
from app.security.logs import log

AT_ONCE = 4  # look-ups there, per process
PATIENCE = 5  # seconds for a look-up, and for a place in the bulkhead
FRESH = 60.0  # seconds for which a copy is good enough to be read
UNKNOWN_FOR = 10.0  # seconds for which is remembered what they do not have
MOST_UNKNOWN = 10_000  # remembered at a time


class OnDemand:
    """Looks up events and people in the database at *url*. Threads share it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._bulkhead = Bulkhead(AT_ONCE, PATIENCE)
        self._unknown: dict[tuple[str, int | str], float] = {}
        self._away_until = 0.0
        self._lock = threading.Lock()

    def refresh(self, *, event: str | None = None, user_id: int | None = None) -> None:
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

    def refresh_user(self, user_id: int) -> None:
        """Like `refresh`, for a user who is asked for and need not be able to sign in."""
        with suppress(Unauthenticated):
            self.refresh(user_id=user_id)

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
                raise gone(subject.kind)

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
        if event is not None and (subject := find_event_subject(event)):
            wanted.append(subject)
        if user_id is not None and (subject := find_user_subject(user_id)):
            wanted.append(subject)
        return [each for each in wanted if not (each.is_unknown and self._is_remembered(each))]

    def _bring(self, subjects: list[Subject]) -> Found:
        db.session.rollback()  # no connection of ours is held while theirs is asked
        linked = _linked_accounts(subjects)
        try:
            with self._bulkhead.admitted(), Source(self._url, PATIENCE) as source:
                found = read_found(source, subjects, linked)
        except SourceError:
            self._away_until = time.monotonic() + UNKNOWN_FOR
            raise
        self._away_until = 0.0
        self._remember_unknown(subjects, found)
        if found.event is not None or found.user is not None:
            with transaction() as session:
                write_found(session, found)
        refuse_ended(found)
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


def _linked_accounts(subjects: list[Subject]) -> list[str]:
    """Return the accounts that links of a known event are to, in case it was deleted there."""
    ids = [each.reference for each in subjects if each.kind == target.EVENTS and each.age]
    accounts = sorted(linked_accounts(db.session(), [int(each) for each in ids])) if ids else []
    db.session.rollback()
    return accounts
