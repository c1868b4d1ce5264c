"""Whether the database can serve us."""

import os

from sqlalchemy import Connection

from app.db.migrations import is_behind
from app.db.transactions import repeat_if_lost
from app.extensions import db

READ_ONLY = "The database is read-only."
BEHIND = "The database lacks migrations."
IS_READ_ONLY = "SELECT current_setting('transaction_read_only')::bool OR pg_is_in_recovery()"


def find_fault() -> str | None:
    """
    Return why the database cannot serve us, as a sentence; None if it can.

    Raises DBAPIError or TimeoutError if it cannot be reached.
    """
    fault = repeat_if_lost(_find_fault)
    if fault != READ_ONLY:
        return fault
    db.engine.dispose()  # our connections may be older than a failover: new ones tell the truth
    return repeat_if_lost(_find_fault)


def _find_fault() -> str | None:
    with db.engine.connect() as connection:
        if _is_read_only(connection):
            return READ_ONLY
        return BEHIND if is_behind(connection) else None


def _is_read_only(connection: Connection) -> bool:
    if connection.dialect.name == "sqlite":
        return not os.access(str(db.engine.url.database), os.W_OK)
    return bool(connection.exec_driver_sql(IS_READ_ONLY).scalar())
