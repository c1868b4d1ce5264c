"""Doing the same from many threads at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any


def at_once(count: int, do: Callable[[int], Any]) -> list[Any]:
    """Call *do* with 0, 1, 2 … in *count* threads that start together; return what it gave."""
    barrier = Barrier(count)

    def start(number: int) -> Any:
        barrier.wait(timeout=30)
        return do(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))
