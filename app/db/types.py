"""Column types that mean the same on SQLite and PostgreSQL."""

import unicodedata
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.types import TypeDecorator

LARGEST_ID = 2**31 - 1  # that an id's column holds
NOT_TEXT = {"Cc", "Cs"}  # controls, and halves of surrogate pairs
ALLOWED_CONTROLS = "\n\r\t"
# Ids from here on are given to what is made here; those below are Open Event Server's to give.
FIRST_OWN_ID = 1_000_000_000


class UTCDateTime(TypeDecorator[datetime]):
    """A moment: aware and in UTC in Python, `timestamptz` on PostgreSQL, UTC text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True
    python_type = datetime  # which SQLAlchemy does not tell of a decorated type

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without a zone is not a moment.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def is_plain(text: str) -> bool:
    """Return whether *text* is what any database and any form takes."""
    return text.isprintable() or not any(map(_is_control, text))


def _is_control(character: str) -> bool:
    return character not in ALLOWED_CONTROLS and unicodedata.category(character) in NOT_TEXT
