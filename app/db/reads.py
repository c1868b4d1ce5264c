"""Reads outside any transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.exc import DBAPIError

from app.db.clock import database_now
from app.db.compiled import CompiledSelect
from app.extensions import db


def read(
    statement: Select | CompiledSelect, parameters: dict[str, Any] | None = None
) -> Sequence[Row | Any]:
    """
    Return the rows of a lone SELECT, run outside any transaction of the session.

    Meant for what is read on every request: no BEGIN and no ROLLBACK go over the wire. A connection
    that died, since the database was restarted, is replaced once.
    """
    if isinstance(statement, CompiledSelect):
        if db.engine.dialect.name == "postgresql":
            rows = statement.rows(db.engine, parameters or {})
            if rows is not None:
                return rows
        statement = statement.select
    try:
        return _read_once(statement, parameters)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return _read_once(statement, parameters)


def _read_once(statement: Select, parameters: dict[str, Any] | None) -> Sequence[Row]:
    with db.engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        return connection.execute(statement, parameters).all()


def read_time() -> datetime:
    """Return the time by the database's clock, outside any transaction."""
    moment: datetime = read(select(database_now()))[0][0]
    return moment
