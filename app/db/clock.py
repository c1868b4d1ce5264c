"""The time by the database's clock, which all instances share."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import GenericFunction

from app.db.types import UTCDateTime


class database_now(GenericFunction[datetime]):
    """The time by the database's clock, which all instances share."""

    type = UTCDateTime()
    inherit_cache = True
    name = "clock_timestamp"


@compiles(database_now, "sqlite")
def _sqlite_now(element: Any, compiler: Any, **kwargs: Any) -> str:
    return "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"


def current_time(session: Session) -> datetime:
    """Return the time by the database's clock, inside *session*'s transaction."""
    moment: datetime = session.scalars(select(database_now())).one()
    return moment
