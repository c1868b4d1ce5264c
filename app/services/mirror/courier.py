"""Delivers what is enqueued for the mirror: at once, in threads, and again soon after."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from app.clients.open_event import OpenEventDatabase
from app.security.logs import log
from app.services.mirror import outbox

AT_ONCE = 4  # deliveries, per process
PATIENCE = 3.0  # seconds that a request waits
RETRIES = (1, 2, 4, 8, 15, 30, 60, 60, 60)  # seconds; after that `stripe reconcile` goes on


class Courier:
    """
    Delivers the events of the outbox to *database*, each inside of *in_context*.

    Threads are daemons: what they leave undone stays in the outbox.
    """

    def __init__(
        self,
        database: OpenEventDatabase,
        in_context: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self.database, self._in_context = database, in_context
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._request = threading.local()
        self._lock = threading.Lock()
        self._is_retrying = False

    def deliver(self, event_ids: list[int]) -> None:
        """Start delivering the events; 0 stands for all that are pending. Returns at once."""
        thread = threading.Thread(target=self._work, args=(event_ids,), daemon=True)
        started = [each for each in self._started() if each.is_alive()]
        self._request.started = [*started, thread]
        thread.start()

    def wait(self) -> None:
        """Wait for what this thread has started to deliver, 3 seconds at most."""
        deadline = time.monotonic() + PATIENCE
        for thread in self._started():
            thread.join(max(0.0, deadline - time.monotonic()))
        self._request.started = []

    def _started(self) -> list[threading.Thread]:
        started: list[threading.Thread] = getattr(self._request, "started", [])
        return started

    def _work(self, event_ids: list[int]) -> None:
        with self._places:
            if not self._deliver(event_ids):
                self._retry_soon()

    def _deliver(self, event_ids: list[int]) -> bool:
        """Return whether all were delivered."""
        try:
            with self._in_context():
                ids = outbox.pending() if 0 in event_ids else event_ids
                done = [outbox.deliver(event_id, self.database) for event_id in ids]
                return all(done)
        except Exception as error:
            log.error("mirror", kind=type(error).__name__)
            return False

    def _retry_soon(self) -> None:
        with self._lock:
            if self._is_retrying:
                return
            self._is_retrying = True
        threading.Thread(target=self._retry, daemon=True).start()

    def _retry(self) -> None:
        for delay in RETRIES:
            time.sleep(delay)
            if self._deliver([0]):
                break
        with self._lock:
            self._is_retrying = False
