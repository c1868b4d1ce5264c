"""Waits for many sockets at the cost of those that have something to say."""

import selectors
import threading
from collections import deque
from typing import Any

from waitress import wasyncore


class Poller:
    """
    Waits for waitress's servers and connections with the system's selector.

    waitress's own loop asks every connection before each wait what it is waiting for: with a
    thousand silent ones that is most of the work. Here only those are asked that something has
    happened to: an event, or a `touch`. All but `touch` belongs to the main thread.
    """

    def __init__(self) -> None:
        self.sockets: dict[int, Any] = {}  # what waitress calls its map
        self.serving = threading.local()  # its `connection` is the one that a thread answers
        self._selector = selectors.DefaultSelector()
        self._awaited: dict[int, int] = {}
        self._touched: deque[Any] = deque()

    def touch(self, each: Any) -> None:
        """Ask *each* before the next wait what it is waiting for."""
        self._touched.append(each)

    def drop(self, descriptor: int) -> None:
        """Stop waiting for *descriptor*, which is about to be closed."""
        if self._awaited.pop(descriptor, 0):
            self._selector.unregister(descriptor)

    def wait(self, seconds: float) -> None:
        """Wait until something happens, *seconds* at most, and let it be handled."""
        while self._touched:
            self._ask(self._touched.popleft())
        for key, events in self._selector.select(seconds):
            if events & selectors.EVENT_READ and self._is_open(key):
                wasyncore.read(key.data)
            if events & selectors.EVENT_WRITE and self._is_open(key):
                wasyncore.write(key.data)
            if self._is_open(key):
                self._ask(key.data)

    def close(self) -> None:
        """Close every socket."""
        wasyncore.close_all(self.sockets, ignore_all=True)
        self._selector.close()

    def _is_open(self, key: selectors.SelectorKey) -> bool:
        return self.sockets.get(key.fd) is key.data

    def _ask(self, each: Any) -> None:
        descriptor = each._fileno  # None once it is closed
        if descriptor is None:
            return
        events = selectors.EVENT_READ if each.readable() else 0
        if each.writable() and not each.accepting:
            events |= selectors.EVENT_WRITE
        before = self._awaited.get(descriptor, 0)
        if events == before:
            return
        if not before:
            self._selector.register(descriptor, events, each)
        elif events:
            self._selector.modify(descriptor, events, each)
        else:
            self._selector.unregister(descriptor)
        self._awaited[descriptor] = events
