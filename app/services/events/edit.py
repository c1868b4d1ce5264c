"""Creating, changing and deleting events."""

import secrets
from hashlib import sha256
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.auth.policy import DELETE_EVENT, EDIT_EVENT, OWNER, Caller, require
from app.clients.stripe import StripeConnect
from app.db.clock import database_now
from app.db.transactions import transaction
from app.errors import IdMismatch, Invalid
from app.models import Event, UsersEventsRole
from app.services import audit
from app.services.deauthorization import outbox
from app.services.events.queries import lock_event, read_event
from app.services.events.theirs import refuse_managed_there
from app.services.events.views import EventView, FoundEvent
from app.services.linking import unlink


def create_event(
    data: dict[str, Any], caller: Caller, *, identifier: str | None = None
) -> EventView:
    """Create an event that belongs to *caller*. Raises Invalid where the values contradict."""
    _check_times(data["starts_at"], data["ends_at"])
    with transaction() as session:
        event = Event(identifier=identifier or _new_identifier(session), **data)
        event.roles = [UsersEventsRole(user_id=caller.id, role="owner")]
        session.add(event)
    return read_event(str(event.id), caller)


def create_event_once(data: dict[str, Any], caller: Caller, form: str) -> EventView:
    """
    Create an event like `create_event`, or return the one that the same *form* has created.

    *form* is a random text that was shown with it: a form that is sent twice, at the same moment
    too, names the same event, whose identifier is unique.
    """
    identifier = _identifier_of(caller, form)
    try:
        return create_event(data, caller, identifier=identifier)
    except IntegrityError:
        event = read_event(identifier, caller)
    return event if event.role >= OWNER else create_event(data, caller)


def _identifier_of(caller: Caller, form: str) -> str:
    """Return eight hex characters that depend on *form* alone, never all digits."""
    digest = sha256(f"{caller.id}:{form}".encode()).hexdigest()
    parts = (digest[start : start + 8] for start in range(0, len(digest), 8))
    return next((part for part in parts if not part.isdigit()), "a" + digest[:7])


def _new_identifier(session: Session) -> str:
    """
    Return eight hex characters that no event has, never all digits (that would read as an id).
    """
    while True:
        identifier = secrets.token_hex(4)
        taken = session.scalar(select(Event.id).where(Event.identifier == identifier))
        if not identifier.isdigit() and taken is None:
            return identifier


def change_event(reference: str, data: dict[str, Any], caller: Caller) -> EventView:
    """
    Change what *data* names; its `id` must be the event's.

    Raises NotFound, Forbidden, IdMismatch, Invalid, and Conflict for an event that is edited in an
    Open Event Server beside us.
    """
    with transaction() as session:
        event, _ = lock_event(reference, caller)
        require(event.role, EDIT_EVENT)
        refuse_managed_there(event.id)
        if data.pop("id") != str(event.id):
            raise IdMismatch("The id is not the one in the address.", field="id")
        _check_times(data.get("starts_at", event.starts_at), data.get("ends_at", event.ends_at))
        if data:
            _update(session, event, data)
    return read_event(str(event.id), caller)


def delete_event(reference: str, caller: Caller, stripe: StripeConnect) -> None:
    """
    Delete the event softly and unlink it, in both modes.

    Raises NotFound, Forbidden, LinkInProgress, Conflict.
    """
    with transaction() as session:
        event, _ = lock_event(reference, caller)
        require(event.role, DELETE_EVENT)
        refuse_managed_there(event.id)
        enqueued = unlink.erase_links_of_event(session, event.id, caller)
        _update(session, event, {"deleted_at": database_now()})
        audit.record("event.delete", event.identifier, user_id=caller.id, event_id=event.id)
    for deauthorization_id in enqueued:
        outbox.deliver(deauthorization_id, stripe)


def _update(session: Session, event: FoundEvent, values: dict[str, Any]) -> None:
    session.execute(
        update(Event)
        .where(Event.id == event.id)
        .values(values)
        .execution_options(synchronize_session=False)
    )


def _check_times(starts_at: Any, ends_at: Any) -> None:
    if ends_at <= starts_at:
        raise Invalid("The event must end after it starts.", field="ends_at")
