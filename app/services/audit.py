"""The audit trail: one entry per action, written in the action's own transaction."""

from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy import func, insert, select

from app.auth.policy import Caller
from app.db.pages import Page
from app.errors import Forbidden
from app.extensions import db
from app.models import AuditEntry, Event, User
from app.services.identifiers import is_event, read_id

ENTRY = insert(AuditEntry.__table__)  # built once: that takes longer than running it


def record(
    action: str, subject: str, *, user_id: int | None = None, event_id: int | None = None
) -> None:
    """
    Add an entry to the current transaction: *user_id* did *action* to *subject*.

    Neither may hold a secret. *user_id* is None where Stripe or a command acted.
    """
    entry = {
        "action": action,
        "subject": subject,
        "user_id": user_id,
        "event_id": event_id,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
    }
    db.session.connection().execute(ENTRY, entry)


def list_entries(caller: Caller, page: Page) -> tuple[int, list[AuditEntry]]:
    """
    Return how many entries *page*'s conditions leave, and a page of them, newest first.

    Raises Forbidden unless *caller* is an administrator.
    """
    if not caller.is_admin:
        raise Forbidden("Only an administrator may read the audit trail.")
    count = db.session.scalar(select(func.count()).select_from(AuditEntry).where(*page.filters))
    found = select(AuditEntry).where(*page.filters)
    return count or 0, list(db.session.scalars(page.of(found, AuditEntry.id.desc())))


def list_for(
    caller: Caller, page: Page, user: str = "", event: str = ""
) -> tuple[int, list[tuple[AuditEntry, str | None, str | None]]]:
    """
    Return entries like `list_entries`, each with the address of its user and the name of its event.

    *user* is an id or an address, *event* an id or an identifier; "" leaves all.
    """
    filters = [*page.filters]
    if user:
        named = select(User.id).where((User.email == user.lower()) | (User.id == read_id(user)))
        filters.append(AuditEntry.user_id.in_(named))
    if event:
        filters.append(AuditEntry.event_id.in_(select(Event.id).where(is_event(event))))
    count, entries = list_entries(caller, replace(page, filters=filters))
    people = _named(User.id, User.email, {each.user_id for each in entries})
    events = _named(Event.id, Event.name, {each.event_id for each in entries})
    return count, [
        (each, people.get(each.user_id or 0), events.get(each.event_id or 0)) for each in entries
    ]


def _named(key: Any, name: Any, ids: set[int | None]) -> dict[int, str]:
    rows = db.session.execute(select(key, name).where(key.in_([each for each in ids if each])))
    return {row[0]: row[1] for row in rows}
