"""Short write transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.extensions import db


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
