"""
Events of a running Open Event Server: what decides a change of them is read there beforehand.

Without OPEN_EVENT_DATABASE_URL every event is ours, and nothing is asked or refused here.
"""

from sqlalchemy import select

from app.auth.policy import Caller
from app.db.reads import read
from app.errors import Conflict, ServiceError, Unavailable
from app.extensions import bound
from app.models import ImportedRow
from app.security.logs import log

MANAGED_THERE = "This event is managed in Open Event. Please make this change there."


def confirm_event(reference: str, caller: Caller) -> None:
    """
    Read event, roles and caller there again, before a transaction of ours changes what hangs on it.

    Raises Unavailable if that is not possible, NotFound for an event that was deleted there, and
    Unauthenticated for a caller who was blocked there.
    """
    open_event = bound("open_event")
    if open_event is not None:
        open_event.confirm(event=reference, user_id=caller.id)


def confirm_once_more(event_id: int, caller: Caller) -> ServiceError | None:
    """
    Read them there again before a grant is stored; return why it must not be.

    What Stripe has granted is stored or deauthorized, so a database that is away by now changes
    nothing: it was read a moment ago.
    """
    try:
        confirm_event(str(event_id), caller)
    except Unavailable:
        log.warning("not confirmed once more", event_id=event_id)
    except ServiceError as refusal:
        return refusal
    return None


def is_managed_there(event_id: int) -> bool:
    """Return whether the event and its team are managed in an Open Event Server beside us."""
    if bound("open_event") is None:
        return False
    imported = select(ImportedRow.id).where(
        ImportedRow.source == "events", ImportedRow.id == event_id
    )
    return bool(read(imported))


def refuse_managed_there(event_id: int) -> None:
    """Raise Conflict for an event that is managed there."""
    if is_managed_there(event_id):
        raise Conflict(MANAGED_THERE)
