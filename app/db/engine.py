"""Engines, and how their connections start, on SQLite and PostgreSQL."""

import re
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, make_url

from app.db import postgresql

SQLITE_WAITS = 20  # seconds for another writer
POOL_TIMEOUT = 15  # seconds for a connection
CONNECTION: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 30,
    "tcp_user_timeout": 10_000,
}


def engine_url(url: str) -> URL:
    """Return *url* for `create_engine`: a PostgreSQL's transactions have our limits."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername=postgresql.DRIVER)
    return parsed


def engine_options(url: str, pool_size: int) -> dict[str, Any]:
    """
    Return the options of `create_engine` for *url* and *pool_size* connections.

    What the operator wrote into *url* comes before ours. Parameters are hidden from error messages,
    because they may be secrets.
    """
    options: dict[str, Any] = {"hide_parameters": True, "pool_size": pool_size}
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return {**options, "connect_args": {"timeout": SQLITE_WAITS}}
    given = parsed.query
    return {
        **options,
        "connect_args": {name: CONNECTION[name] for name in CONNECTION if name not in given},
        "limits": _limits(str(given.get("options", ""))),
        "poolclass": postgresql.PatientPool,
        "max_overflow": 0,
        "pool_timeout": POOL_TIMEOUT,
        "pool_use_lifo": True,
    }


def _limits(start_up: str) -> dict[str, str]:
    """Return our limits except those that the operator's *start_up* options set themselves."""
    theirs = set(re.findall(r"(?:-c\s*|--)([\w.-]+)\s*=", start_up))
    theirs = {name.replace("-", "_").lower() for name in theirs}
    return {name: postgresql.LIMITS[name] for name in postgresql.LIMITS if name not in theirs}


def watch(engine: Engine) -> None:
    """Let the transactions of *engine* begin as ours do, and give SQLite what it lacks."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "begin", postgresql.begin)
        event.listen(engine, "checkout", postgresql.check_idle)
        event.listen(engine, "handle_error", postgresql.judge_loss)


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so, below
    for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    mode = "IMMEDIATE" if connection.get_execution_options().get("writes") else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {mode}")
