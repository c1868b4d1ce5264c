"""Lone reads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select

from app.db.clock import database_now
from app.db.compiled import CompiledSelect
from app.db.transactions import repeat_if_lost
from app.extensions import db


def read(
    statement: Select[*tuple[Any, ...]] | CompiledSelect, parameters: dict[str, Any] | None = None
) -> Sequence[Row[Any] | Any]:
    """
    Return the rows of a lone SELECT, each with its columns as attributes.

    Meant for what is read on every request: a compiled one takes one round trip. It is read again
    if the connection is lost. Inside a transaction of the session it is a part of that: a request
    that held one connection and waited for another would keep both from others.
    """
    if db.session.registry.has() and db.session().in_transaction():
        select = statement.select if isinstance(statement, CompiledSelect) else statement
        return db.session.execute(select, parameters).all()
    return repeat_if_lost(lambda: _read_once(statement, parameters))


def _read_once(
    statement: Select[*tuple[Any, ...]] | CompiledSelect, parameters: dict[str, Any] | None
) -> Sequence[Row[Any] | Any]:
    if isinstance(statement, CompiledSelect):
        if db.engine.dialect.name == "postgresql":
            return statement.rows(db.engine, parameters or {})
        statement = statement.select
    with db.engine.connect() as connection:
        return connection.execute(statement, parameters).all()


def read_time() -> datetime:
    """Return the time by the database's clock."""
    moment: datetime = read(select(database_now()))[0][0]
    return moment
