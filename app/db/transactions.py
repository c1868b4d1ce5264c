"""Short write transactions, and what is done again when the connection is lost."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ORMExecuteState

from app.db.postgresql import is_read_only
from app.extensions import db

PATIENCE = 5.0  # seconds
T = TypeVar("T")


@contextmanager
def transaction() -> Iterator[Any]:
    """
    One short write transaction: everything inside is committed, or nothing.

    What the session read before is forgotten first. On SQLite the write lock is taken at once,
    since a transaction that reads and then writes is refused there as soon as two do it.

    Raises DBAPIError if the connection is lost; where that happened in the commit itself, only if
    the transaction is not known to be committed.
    """
    db.session.rollback()
    repeat_if_lost(lambda: db.session.connection(execution_options={"writes": True}))
    db.session.info["writes"] = True
    try:
        yield db.session
        db.session.flush()
        _commit()
    except BaseException:
        db.session.rollback()
        raise
    finally:
        del db.session.info["writes"]


def _commit() -> None:
    """Commit, and note it; what may have been committed is not repeated either."""
    had_committed = db.session.info.get("committed", False)
    db.session.info["committed"] = True
    try:
        db.session.commit()
    except DBAPIError as error:
        if getattr(error.orig, "is_undone", False):
            db.session.info["committed"] = had_committed
        raise


def repeat_if_lost(work: Callable[[], T], may_repeat: Callable[[], bool] = lambda: True) -> T:
    """
    Return what *work* returns; it is done again, on another connection, if its own was lost.

    Where the database turns out to be read-only, which a new connection after a failover may mend,
    it is done once more. Raises the last error, or the first after which *may_repeat* says no.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except DBAPIError as error:
            is_late = time.monotonic() > deadline
            if not error.connection_invalidated or is_late or not may_repeat():
                raise
            if is_read_only(error.orig):
                deadline = 0.0
            db.session.rollback()


def repeat_until_committed(work: Callable[[], T]) -> T:
    """Return what *work* returns; it is done again if it lost a connection before any commit."""
    if db.session.registry.has():
        db.session.info["committed"] = False
    return repeat_if_lost(work, lambda: not db.session.info.get("committed", False))


def _read_again(state: ORMExecuteState) -> Any:
    """Do what a session reads outside a write transaction again, if the connection was lost."""
    if state.session.info.get("writes") or not state.is_select:
        return None
    return repeat_if_lost(state.invoke_statement)


event.listen(db.session, "do_orm_execute", _read_again)
