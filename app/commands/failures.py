"""What an operator is told when the database keeps a command from working."""

from flask import Flask
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError

from app.db.migrations import is_behind
from app.extensions import db

AWAY = "The database cannot be reached, or refuses us. Is it running, and is DATABASE_URL right?"
BUSY = "The database did not answer in time. Please try again."
BEHIND = "The database lacks migrations. Run: python manage.py db upgrade"
NO_RIGHTS = (
    "The database's role lacks rights. It needs USAGE and, to migrate, CREATE on the schema, and"
    " all rights on the tables in it."
)
# SQLSTATEs of PostgreSQL: insufficient_privilege; no schema in search_path that may be used.
RIGHTS = ("42501", "3F000")


def why_database_failed(
    app: Flask, error: DBAPIError | TimeoutError, *, migrating: bool = False
) -> str:
    """
    Return one sentence about *error*: what is wrong and what to do. While *migrating* a database
    that lacks migrations is no reason.
    """
    if isinstance(error, TimeoutError):
        return BUSY
    if getattr(error.orig, "pgcode", None) in RIGHTS:
        return NO_RIGHTS
    with app.app_context():
        try:
            with db.engine.connect() as connection:
                if _has_no_schema(connection):
                    return NO_RIGHTS
                if not migrating and is_behind(connection):
                    return BEHIND
        except SQLAlchemyError:
            return AWAY
    return _told_by_driver(error)


def _has_no_schema(connection: Connection) -> bool:
    """Whether PostgreSQL hides every schema from the role: then all tables seem to be missing."""
    if connection.dialect.name != "postgresql":
        return False
    return connection.scalar(select(func.current_schema())) is None


def _told_by_driver(error: DBAPIError) -> str:
    """The first line alone: what follows may show a row."""
    first_line = str(error.orig).strip().partition("\n")[0]
    return f"The database refuses: {first_line.rstrip('.')}."
