"""Importing one event, or one user, by the rules of the whole import."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from app.importing.facts import EventFacts, RoleFacts, Unreadable, UserFacts
from app.importing.queries import ADDRESS
from app.importing.source import Source
from app.importing.target import Run
from app.importing.write_events import write_events
from app.importing.write_roles import match_roles
from app.importing.write_users import write_users


@dataclass(frozen=True, slots=True)
class EventWithPeople:
    """
    An event as it is there, with its roles and the users whom they name.

    *twins* are those of the users whose address another user there has too, with the one to keep.
    """

    event: EventFacts | Unreadable
    roles: tuple[RoleFacts, ...]
    users: tuple[UserFacts | Unreadable, ...]
    is_twin: bool
    twins: Mapping[int, int] = field(default_factory=dict)


def read_event(source: Source, *, reference: int | str) -> EventWithPeople | None:
    """
    Return the event whose id or identifier is *reference*; None if there is none.

    Nothing is written: no transaction of ours needs to be open. Raises SourceError.
    """
    column = "id" if isinstance(reference, int) else "identifier"
    found = list(
        source.events(f"e.{column} = %(reference)s", with_checks=False, reference=reference)
    )
    if not found:
        return None
    event = found[0]
    roles = tuple(source.roles("event_id = %(event)s", event=event.id))
    ids = sorted({role.user_id for role in roles})
    users = source.users("u.id = ANY(%(ids)s)", are_named=True, ids=ids) if ids else ()
    people = tuple(users)
    twins = read_twins(source, people)
    return EventWithPeople(event, roles, people, is_twin=_is_twin(source, event), twins=twins)


def read_twins(source: Source, users: Collection[UserFacts | Unreadable]) -> dict[int, int]:
    """Return those of *users* whose address another user there has, with the one to keep."""
    facts = [user for user in users if isinstance(user, UserFacts)]
    addresses = sorted({(user.email or "").strip().lower() for user in facts})
    statement = source.queries.twins(f"{ADDRESS} = ANY(%(addresses)s)")
    return dict(source.rows(statement, {"addresses": addresses}))


def _is_twin(source: Source, event: EventFacts | Unreadable) -> bool:
    if isinstance(event, Unreadable):
        return False
    values = {"identifier": event.identifier}
    rows = source.rows("SELECT id FROM events WHERE identifier = %(identifier)s LIMIT 2", values)
    return len(rows) > 1


def write_event(run: Run, found: EventWithPeople) -> None:
    """
    Bring the event with its roles and people, in the current transaction.

    The event then has the roles that it has there. If it was deleted there since it came, it joins
    `run.deletions`.
    """
    write_users(run, found.users, found.twins)
    twins: Sequence[str] = ()
    if found.is_twin and isinstance(found.event, EventFacts):
        twins = (found.event.identifier or "",)
    write_events(run, [found.event], twins=twins)
    match_roles(run, found.event.id, found.roles)


def read_user(source: Source, user_id: int) -> UserFacts | Unreadable | None:
    """Return the user with that id there; None if there is none. Raises SourceError."""
    found = source.users("u.id = %(user)s", are_named=True, user=user_id)
    return next(iter(list(found)), None)
