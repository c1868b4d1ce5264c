"""
Events of a running Open Event Server: what decides a change of them is read there beforehand.

Without OPEN_EVENT_DATABASE_URL every event is ours, and nothing is asked or refused here.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth.policy import Caller
from app.errors import Conflict, ServiceError, Unavailable
from app.extensions import bound
from app.models import ImportedRow
from app.security.logs import log


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


def refuse_imported(session: Session, event_id: int) -> None:
    """Raise Conflict for an event that is edited in Open Event Server, beside which we run."""
    if bound("open_event") is None:
        return
    imported = select(ImportedRow.id).where(
        ImportedRow.source == "events", ImportedRow.id == event_id
    )
    if session.scalar(imported) is not None:
        raise Conflict("This event is managed in Open Event. Please change or delete it there.")
