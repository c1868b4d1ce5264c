"""Keeping the ids of what is made here apart from those that Open Event Server gives out."""

from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection, Engine, event, text

from app.db.types import FIRST_OWN_ID
from app.models import Event, StripeAuthorization, User

KINDS = (User, Event, StripeAuthorization)
POSTGRESQL = text(
    "SELECT setval(seq::regclass, :last) FROM pg_get_serial_sequence(:table, 'id') AS seq"
    " WHERE coalesce(pg_sequence_last_value(seq::regclass), 0) < :last"
)
SQLITE = (
    text("UPDATE sqlite_sequence SET seq = :last WHERE name = :table AND seq < :last"),
    text(
        "INSERT INTO sqlite_sequence (name, seq) SELECT :table, :last"
        " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = :table)"
    ),
)

_watched: WeakSet[Engine] = WeakSet()


def keep_ids_apart(connection: Connection, model: Any) -> None:
    """Make the next row of *model* that is made here get an id of our own range, if need be."""
    values = {"table": model.__tablename__, "last": FIRST_OWN_ID - 1}
    statements = (POSTGRESQL,) if connection.dialect.name == "postgresql" else SQLITE
    for statement in statements:
        connection.execute(statement, values)


def watch_inserts(engine: Engine) -> None:
    """Keep the ids apart in all that is made by *engine* from now on."""
    _watched.add(engine)
    for model in KINDS:
        if not event.contains(model, "before_insert", _before_insert):
            event.listen(model, "before_insert", _before_insert)


def _before_insert(mapper: Any, connection: Connection, row: Any) -> None:
    if row.id is None and connection.engine in _watched:
        keep_ids_apart(connection, type(row))
