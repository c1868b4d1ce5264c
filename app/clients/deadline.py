"""A total deadline per call: a watchdog cuts off whoever drips, hangs or floods."""

import heapq
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_IDLE = 30.0


class Deadline:
    """
    One call's time: it must be connected by one moment, and over by another (both in seconds).

    A timeout of requests counts per read and so never ends against a server that drips. Here the
    socket itself is shut down. The watchdog holds a duplicate of it, because TLS detaches the
    original, and because a file number of our own cannot become somebody else's connection
    between our look and our shutdown.
    """

    def __init__(self, timeout: float, connect_timeout: float) -> None:
        now = time.monotonic()
        self._connect_by = now + min(timeout, connect_timeout)
        self._end = now + timeout
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.connected = False
        self.expired = False
        self.over = False

    @property
    def due(self) -> float:
        """When this call is cut off as things stand, on the monotonic clock."""
        return self._end if self.connected else self._connect_by

    def remaining(self) -> float:
        """Return the seconds until `due`, never negative."""
        return max(self.due - time.monotonic(), 0.0)

    def guard(self, sock: socket.socket) -> None:
        """Shut *sock* down when time is over. Raises TimeoutError if it is over already."""
        with self._lock:
            self._refuse_if_expired()
            self._socket = sock.dup()

    def mark_connected(self) -> None:
        """Connection and TLS stand, and data may flow. Raises TimeoutError if it is too late."""
        with self._lock:
            self._refuse_if_expired()
            self.connected = True

    def expire_if_due(self, now: float) -> float | None:
        """Shut the socket down if time is over; return when to look again, None for never."""
        with self._lock:
            if self.over:
                return None
            if now < self.due:
                return self.due
            self.expired = True
            self._shut_down()
            return None

    def finish(self) -> None:
        """The call is over, in time or not: let go of the socket. `expired` changes no more."""
        with self._lock:
            self.over = True
            self.expired = self.expired or (self.connected and time.monotonic() >= self._end)
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def _refuse_if_expired(self) -> None:
        if self.expired or time.monotonic() >= self.due:
            self.expired = True
            raise TimeoutError("no connection in time")

    def _shut_down(self) -> None:
        if self._socket is None:
            return
        with suppress(OSError):  # because the other side may have closed it, which is as good
            self._socket.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """
    Cuts off the calls whose time is over: one thread for any number of calls.

    The thread starts with the first call, not before, because it would not survive the fork of a
    server that loads the app first; it ends by itself after half a minute without a call, so a
    forgotten client holds nothing.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._heap: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._stopping = False

    @contextmanager
    def watching(self, deadline: Deadline) -> Iterator[None]:
        """Cut off the call in this block when its *deadline* is over."""
        try:
            self._add(deadline)
            yield
        finally:
            deadline.finish()

    def stop(self) -> None:
        """End the thread as soon as no call is under way. A later call starts it again."""
        with self._condition:
            self._stopping = True
            self._condition.notify()

    def _add(self, deadline: Deadline) -> None:
        with self._condition:
            entry = (deadline.due, next(self._numbers), deadline)
            heapq.heappush(self._heap, entry)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="call-deadlines", daemon=True)
                thread.start()
                self._thread = thread
            elif self._heap[0] is entry:
                self._condition.notify()

    def _run(self) -> None:
        with self._condition:
            while (seconds := self._expire_due()) is not None or not self._stopping:
                called = self._condition.wait(_IDLE if seconds is None else seconds)
                if seconds is None and not called:
                    break
            self._thread = None

    def _expire_due(self) -> float | None:
        """Cut off what is due; return the seconds until the next look, None if nothing waits."""
        now = time.monotonic()
        while self._heap:
            due, number, deadline = self._heap[0]
            if due > now and not deadline.over:
                return due - now
            heapq.heappop(self._heap)
            look_again = deadline.expire_if_due(now)
            if look_again is not None:
                heapq.heappush(self._heap, (look_again, number, deadline))
        return None
