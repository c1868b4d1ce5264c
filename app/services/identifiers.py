"""How addresses and documents name things: by id, or an event by its identifier."""

import re

from sqlalchemy import ColumnElement

from app.db.types import LARGEST_ID
from app.models import Event

# Ours are eight hex characters; imported ones may be UUIDs, or hand-made. All
# digits are an id.
IDENTIFIER = re.compile(r"(?![0-9]+$)[0-9A-Za-z_-]{1,36}", re.ASCII)
NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)


def read_id(reference: str) -> int:
    """Return the id that *reference* is, or 0, which nothing has."""
    number = int(reference) if NUMBER.fullmatch(reference) else 0
    return number if number <= LARGEST_ID else 0


def event_key(reference: str) -> tuple[str, int | str]:
    """Return by which column *reference* names an event, `id` or `identifier`, and its value."""
    if NUMBER.fullmatch(reference):
        return "id", read_id(reference)
    return "identifier", reference if IDENTIFIER.fullmatch(reference) else ""


def is_event(reference: str) -> ColumnElement[bool]:
    """Return the condition that *reference*, an id or identifier, names the event."""
    column, value = event_key(reference)
    condition: ColumnElement[bool] = getattr(Event, column) == value
    return condition
