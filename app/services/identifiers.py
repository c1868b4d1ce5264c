"""How addresses and documents name things: by id, or an event by its identifier."""

import re

from sqlalchemy import ColumnElement

from app.db.types import LARGEST_ID
from app.models import Event

# Ours are eight hex characters; imported ones may be UUIDs, or hand-made. All
# digits are an id.
IDENTIFIER = re.compile(r"(?![0-9]+$)[0-9A-Za-z_-]{1,36}", re.ASCII)
PAGES = {"new"}  # `/events/new` is the form of a new event
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


def event_reference(event_id: int, identifier: str) -> str:
    """
    Return what names the event in the addresses of pages: its identifier where that is read as this
    event, else its id. An imported one may read as another event's id, or as no identifier at all.
    """
    is_read_back = event_key(identifier) == ("identifier", identifier)
    return identifier if is_read_back and identifier not in PAGES else str(event_id)


def is_event(reference: str) -> ColumnElement[bool]:
    """Return the condition that *reference*, an id or identifier, names the event."""
    column, value = event_key(reference)
    condition: ColumnElement[bool] = getattr(Event, column) == value
    return condition
