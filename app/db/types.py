"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.types import TypeDecorator

LARGEST_ID = 2**31 - 1  # that an id's column holds
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
