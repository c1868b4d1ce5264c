"""Storing what must not be lost, although the database may be away for a moment."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError

PATIENCE = 12  # seconds without a database before giving up
PAUSE = 0.2  # seconds between two tries
DATABASE_AWAY = (OperationalError, InterfaceError, TimeoutError)
Waiting = Callable[[], AbstractContextManager[object]]
T = TypeVar("T")


def persist(work: Callable[[], T], waiting: Waiting) -> T:
    """
    Return what *work* returns; once the database is away, try again for PATIENCE seconds.

    Each pause is spent inside of *waiting*, where other requests compute. *work* must be safe to
    run again after a commit whose answer was lost: it reads first whether it has been done. Raises
    one of DATABASE_AWAY if the database stays away.
    """
    give_up: float | None = None
    while True:
        try:
            return work()
        except DATABASE_AWAY:
            now = time.monotonic()
            give_up = give_up or now + PATIENCE  # waiting for a lock or a connection comes before
            if now > give_up:
                raise
            pause(waiting)


def pause(waiting: Waiting) -> None:
    """Wait for PAUSE seconds inside of *waiting*; no database connection may be held."""
    with waiting():
        time.sleep(PAUSE)
