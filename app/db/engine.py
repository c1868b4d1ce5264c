"""What a connection to SQLite or PostgreSQL starts with."""

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

POOL_SIZE = 20
SQLITE_WAITS = 20  # seconds for another writer


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
