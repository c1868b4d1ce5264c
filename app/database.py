"""
How we speak to SQLite and PostgreSQL alike: times, transactions, and what a connection starts with.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Engine, Row, Select, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator

from app.extensions import db
from app.prepared import Prepared

POOL_SIZE = 20
SQLITE_WAITS = 20  # seconds for another writer


class UTCDateTime(TypeDecorator):
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


class database_now(GenericFunction):
    """The moment by the database's clock, which all instances share."""

    type = UTCDateTime()
    inherit_cache = True
    name = "clock_timestamp"


@compiles(database_now, "sqlite")
def _sqlite_now(element, compiler, **kwargs) -> str:
    return "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"


@contextmanager
def transaction() -> Iterator[Any]:
    """
    One short write transaction: everything inside is committed, or nothing.

    What the session read before is forgotten first. On SQLite the write lock is taken at once,
    since a transaction that reads and then writes is refused there as soon as two do it.
    """
    db.session.rollback()
    db.session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
    try:
        yield db.session
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def read(
    statement: Select | Prepared, parameters: dict[str, Any] | None = None
) -> Sequence[Row | Any]:
    """
    Return the rows of a lone SELECT, run outside any transaction of the session.

    Meant for what is read on every request: no BEGIN and no ROLLBACK go over the wire. A connection
    that died, since the database was restarted, is replaced once.
    """
    if isinstance(statement, Prepared):
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


def engine_options(url: str) -> dict[str, Any]:
    """
    Return the options of `create_engine` for *url*.

    Parameters are hidden from error messages, because they may be secrets. No pre-ping: it costs a
    round trip for every request; a dead connection is met when it fails.
    """
    options: dict[str, Any] = {"hide_parameters": True}
    if make_url(url).get_backend_name() == "sqlite":
        return {**options, "connect_args": {"timeout": SQLITE_WAITS}, "pool_size": POOL_SIZE}
    connection = {
        "connect_timeout": 3,
        "keepalives_idle": 30,
        "tcp_user_timeout": 10_000,
        "options": "-c timezone=utc -c lock_timeout=15000 -c statement_timeout=30000"
        " -c idle_in_transaction_session_timeout=30000",
    }
    return {
        **options,
        "connect_args": connection,
        "pool_size": POOL_SIZE,
        "max_overflow": 0,
        "pool_timeout": 15,
        "pool_use_lifo": True,
    }


def watch(engine: Engine) -> None:
    """Give every connection of *engine* what SQLite does not do by itself."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so, below
    for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")
