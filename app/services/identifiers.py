"""How addresses and documents name things: by id, or an event by its identifier."""

import re

from sqlalchemy import ColumnElement

from app.models import Event

IDENTIFIER = re.compile(r"[0-9a-f]{8}", re.ASCII)
NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


def read_id(reference: str) -> int:
    """Return the id that *reference* is, or 0, which nothing has."""
    return int(reference) if NUMBER.fullmatch(reference) else 0


def is_event(reference: str) -> ColumnElement[bool]:
    """Return the condition that an event is the one meant by *reference*: its id or identifier."""
    if NUMBER.fullmatch(reference):
        return Event.id == int(reference)
    return Event.identifier == (reference if IDENTIFIER.fullmatch(reference) else "")
