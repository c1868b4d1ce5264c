"""Doing the same from many threads at one moment, and waiting for what others do."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def at_once(count: int, do: Callable[[int], Any]) -> list[Any]:
    """Call *do* with 0, 1, 2 … in *count* threads that start together; return what it gave."""
    barrier = threading.Barrier(count)

    def start(number: int) -> Any:
        barrier.wait(timeout=30)
        return do(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def until(condition: Callable[[], Any], seconds: float = 30, every: float = 0.02) -> Any:
    """Return what *condition* gives once it is true; fail if it is not, asked last at the end."""
    pause, give_up = threading.Event(), time.monotonic() + seconds
    while not (found := condition()):
        left = give_up - time.monotonic()
        if left <= 0:
            raise AssertionError(f"it did not happen within {seconds} s")
        pause.wait(min(every, left))
    return found
