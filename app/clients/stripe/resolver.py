"""Names are looked up with a time limit, which `getaddrinfo` does not have."""

import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

Addresses = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]]


class Resolver:
    """
    Looks names up in a thread of its own: one per name at a time, however many calls wait for it.

    An address in numbers needs no thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._look_ups: dict[tuple[str, int], Future[Addresses]] = {}

    def resolve(self, host: str, port: int, timeout: float) -> Addresses:
        """Return the addresses, or raise OSError or UnicodeError within *timeout* seconds."""
        try:
            return socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except socket.gaierror:
            return self._look_up(host, port).result(timeout)

    def _look_up(self, host: str, port: int) -> "Future[Addresses]":
        with self._lock:
            future = self._look_ups.get((host, port))
            if future is None or future.done():
                future = Future()
                # A daemon, because a look-up that hangs must not hold the process at its end.
                threading.Thread(target=_ask, args=(host, port, future), daemon=True).start()
                self._look_ups[host, port] = future
            return future


def _ask(host: str, port: int, future: "Future[Addresses]") -> None:
    try:
        future.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except Exception as error:  # because the calls that wait must hear of it, whatever it is
        future.set_exception(error)
