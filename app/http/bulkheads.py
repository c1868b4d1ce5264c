"""
Of the requests that arrive in bursts, only a few compute at any moment.

When ticket sales open, or when Stripe delivers a backlog of webhooks, hundreds arrive at once.
Without a bound they would share the processor and the pool's connections, and every reader would
wait for all of them. So each of them acquires a place, and releases it while it waits for Stripe.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, g, request

from app.security.bulkhead import Bulkhead

AT_ONCE = 3  # per process; one thread computes at a time, the others mostly wait for the database
PATIENCE = 4.0  # seconds; a burst of a few hundred has passed by then


class BurstBulkhead:
    """
    A bulkhead whose places belong to threads.

    It is a courtesy, not a lock: a thread whose patience has run out goes on without a place.
    While the database stalls, a request that has a grant to save must not wait behind those that
    only ask for one.
    """

    def __init__(self, bulkhead: Bulkhead) -> None:
        self.bulkhead = bulkhead
        self._thread = threading.local()

    def acquire(self) -> bool:
        """Wait for a place, unless this thread has one; return whether it has one now."""
        if not self._has_place():
            self._thread.has_place = self.bulkhead.acquire()
        return self._has_place()

    def release(self) -> None:
        """Release this thread's place, if it has one."""
        if self._has_place():
            self._thread.has_place = False
            self.bulkhead.release()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place for the length of a block, as far as patience goes."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Release the place while a block waits; it must hold no database connection."""
        had_place = self._has_place()
        self.release()
        try:
            yield
        finally:
            if had_place:
                self.acquire()

    def _has_place(self) -> bool:
        return getattr(self._thread, "has_place", False)


def init_app(app: Flask, bursts: BurstBulkhead) -> None:
    """
    Have the routes of *app* that come in bursts pass *bursts*.

    A request without its proof (`Route.burst_proof`) is refused soon and needs no place. Comes
    after the edge, which has read the whole body.
    """

    @app.before_request
    def _acquire() -> None:
        proof = g.route.burst_proof if g.route and request.method == "POST" else None
        if proof is not None and proof in request.headers:
            bursts.acquire()

    @app.teardown_request
    def _release(_error: BaseException | None) -> None:
        bursts.release()
