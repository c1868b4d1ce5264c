"""
Turns: of the requests that come in bursts, only a few compute at one moment.

When sales open, or when Stripe delivers what has piled up, hundreds come at once. Let loose they
would share the processor and the pool's twenty connections among them, and whoever reads would wait
for all. So each takes a turn, and gives it up while it waits for Stripe.

A turn is a courtesy, not a lock: who has waited for a while goes on without one. While the database
stalls, whoever has a grant to keep must not stand behind those who only want one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, g, request

AT_ONCE = 3  # per process; one thread computes at a time, the others mostly wait for the database
LONGEST = 4.0  # seconds of waiting; a burst of some hundreds has passed by then

_turns = threading.BoundedSemaphore(AT_ONCE)
_mine = threading.local()


def init_app(app: Flask) -> None:
    """Let requests of *app* take turns. Comes after the edge, which has read the whole body."""
    app.before_request(_take_if_in_burst)
    app.teardown_request(give_back)


@contextmanager
def paused() -> Iterator[None]:
    """Let others compute while this block waits; no database connection may be held in it."""
    had_one = _is_held()
    give_back()
    try:
        yield
    finally:
        if had_one:
            take()


def take() -> bool:
    """Wait for a turn, unless this thread has one; return whether it has one in the end."""
    if not _is_held():
        _mine.turn = _turns.acquire(timeout=LONGEST)
    return _mine.turn


def give_back(_error: BaseException | None = None) -> None:
    """Let somebody else have this thread's turn, if it has one."""
    if _is_held():
        _mine.turn = False
        _turns.release()


def _take_if_in_burst() -> None:
    proof = g.route.burst_proof if g.route and request.method == "POST" else None
    if proof is not None and proof in request.headers:
        take()


def _is_held() -> bool:
    return getattr(_mine, "turn", False)
