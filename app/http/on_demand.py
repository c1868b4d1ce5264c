"""
Beside a running Open Event Server: what an address names is brought before the view runs, and the
mirror is written before the answer leaves.

What a document names, the services ask for themselves (`app/services/events/theirs.py`).
"""

from typing import Any

from flask import Flask, Response, current_app, g, request
from sqlalchemy import select

from app.db.reads import read
from app.db.types import LARGEST_ID
from app.models import PaymentIntent, StripeAuthorization

# The event of what else an address may name.
OWNERS: dict[str, Any] = {"authorization": StripeAuthorization, "payment": PaymentIntent}


def init_app(app: Flask) -> None:
    """Look before every view of *app*, if there is an Open Event Server to look at."""
    if app.extensions["open_event"] is not None:
        app.before_request(_look)
    if app.extensions["mirror"] is not None:
        app.after_request(_wait)


def _wait(response: Response) -> Response:
    """Answer when the mirror has been written, or after 3 seconds: the frontend goes on there."""
    current_app.extensions["mirror"].wait()
    return response


def _look() -> None:
    """
    Bring the event that is asked for, or bring our copy up to date; and that of the caller.

    A change waits for what decides it; a read is content with a copy of the last minute.
    """
    named = request.view_args or {}
    caller = g.get("caller")
    user_id = caller.id if caller is not None else None
    event = named.get("event") or named.get("identifier") or _event_of(named)
    open_event = current_app.extensions["open_event"]
    if event is not None and request.method in ("PATCH", "DELETE"):
        open_event.confirm(event=event, user_id=user_id)
        return
    if event is not None or user_id is not None:
        open_event.refresh(event=event, user_id=user_id)
    asked_for = str(named.get("user", ""))
    if asked_for.isdecimal() and caller is not None and caller.is_admin:
        open_event.refresh_user(min(int(asked_for), LARGEST_ID))


def _event_of(named: dict[str, Any]) -> str | None:
    for name, model in OWNERS.items():
        text = str(named.get(name, ""))
        if text.isascii() and text.isdecimal() and int(text) <= LARGEST_ID:
            rows = read(select(model.event_id).where(model.id == int(text)))
            return str(rows[0].event_id) if rows else None
    return None
