"""The events and users of Open Event Server that are asked for, and what is known of them here."""

from dataclasses import dataclass

from sqlalchemy import Select, select

from app.db.clock import database_now
from app.db.reads import read
from app.db.types import FIRST_OWN_ID
from app.importing import target
from app.models import Event, ImportedRow, User
from app.services.identifiers import IDENTIFIER, NUMBER, read_id


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


def find_event_subject(reference: str) -> Subject | None:
    """Return the event if it is theirs; None if it is ours, or cannot exist."""
    if NUMBER.fullmatch(reference):
        key: int | str = read_id(reference)
        if not 0 < int(key) < FIRST_OWN_ID:
            return None
        return _subject(target.EVENTS, key, select(Event.id).where(Event.id == key))
    if not IDENTIFIER.fullmatch(reference):
        return None
    found = select(Event.id).where(Event.identifier == reference)
    return _subject(target.EVENTS, reference, found)


def find_user_subject(user_id: int) -> Subject | None:
    """Return the user if they are theirs; None if they are ours, or cannot exist."""
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
