"""A bulkhead keeps one kind of work from taking everything that a process has."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class BulkheadFull(Exception):
    """All places are taken, and none became free in time."""


class Bulkhead:
    """
    Admits *size* pieces of work at a time; the next waits *patience* seconds at most.

    Threads of one process share it. Make it after a fork: a child would copy the state it was in.
    """

    def __init__(self, size: int, patience: float = 0.0) -> None:
        self.size = size
        self._patience = patience
        self._places = threading.BoundedSemaphore(size)

    def acquire(self) -> bool:
        """Take a place; False if there was none in time."""
        return self._places.acquire(timeout=self._patience)

    def release(self) -> None:
        """Give a place back. Raises ValueError if none was taken."""
        self._places.release()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place for the length of a block. Raises BulkheadFull if there was none in time."""
        if not self.acquire():
            raise BulkheadFull
        try:
            yield
        finally:
            self.release()
