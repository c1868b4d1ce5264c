"""What a test's service sends to its database, seen at the driver: nothing gets past it."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2.extensions
import pytest
from flask import Flask
from sqlalchemy import event

from app.extensions import db

NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "PREPARE", "SHOW", "SAVEPOINT")


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """
    The statements sent since, as a list that a test may clear.

    What opens, ends or prepares is left out. Connections from before are replaced.
    """
    sent: list[str] = []

    def note(text: str) -> None:
        if not text.lstrip().upper().startswith(NOT_COUNTED):
            sent.append(text)

    def watch(connection: Any, record: Any) -> None:
        if db.engine.dialect.name == "sqlite":
            connection.set_trace_callback(note)
        else:
            connection.cursor_factory = _noting(note)

    db.session.remove()
    db.engine.dispose()
    event.listen(db.engine, "connect", watch)
    yield sent
    event.remove(db.engine, "connect", watch)


def _noting(note: Callable[[str], None]) -> type:
    class Cursor(psycopg2.extensions.cursor):
        def execute(self, query: Any, vars: Any = None) -> None:
            note(query)
            super().execute(query, vars)

    return Cursor
