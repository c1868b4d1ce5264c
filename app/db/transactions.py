"""Short write transactions, and what is done again when the connection is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ORMExecuteState

from app.extensions import db

TRIES = 5
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
        db.session.info["committed"] = True  # or nobody knows, which must not be done twice either
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
    finally:
        del db.session.info["writes"]


def repeat_if_lost(work: Callable[[], T], may_repeat: Callable[[], bool] = lambda: True) -> T:
    """
    Return what *work* returns; it is done again, on another connection, if its own was lost.

    Raises its last error, or the first after which *may_repeat* says no.
    """
    for _ in range(TRIES - 1):
        try:
            return work()
        except DBAPIError as error:
            if not error.connection_invalidated or not may_repeat():
                raise
            db.session.rollback()
    return work()


def repeat_until_committed(work: Callable[[], T]) -> T:
    """Return what *work* returns; it is done again if it lost a connection before any commit."""
    db.session.info.pop("committed", None)
    return repeat_if_lost(work, lambda: "committed" not in db.session.info)


def _read_again(state: ORMExecuteState) -> Any:
    """Do what a session reads outside a write transaction again, if the connection was lost."""
    if state.session.info.get("writes") or not state.is_select:
        return None
    return repeat_if_lost(state.invoke_statement)


event.listen(db.session, "do_orm_execute", _read_again)
