"""Connections that are dialled within one call's deadline, guarded by it and used once."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import PoolManager, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from app.clients.deadline import Deadline

Addresses = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]]


class Resolver:
    """
    Looks names up with a time limit.

    `getaddrinfo` cannot be interrupted, so it runs in a thread of its own: one per name at a
    time, however many calls wait for it.
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
                asking = threading.Thread(target=_ask, args=(host, port, future), daemon=True)
                asking.start()
                self._look_ups[host, port] = future
            return future


def _ask(host: str, port: int, future: "Future[Addresses]") -> None:
    try:
        future.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except Exception as error:  # because the calls that wait must hear of it, whatever it is
        future.set_exception(error)


class Line:
    """What a connection needs to know of the call that opens it."""

    def __init__(self, deadline: Deadline, resolver: Resolver) -> None:
        self.deadline = deadline
        self._resolver = resolver

    def dial(self, host: str, port: int) -> socket.socket:
        """
        Connect to the first address of *host* that answers, guarded by the deadline.

        The addresses share the time that is left, so that a dead one does not use up all of it.
        Raises OSError or UnicodeError.
        """
        addresses = self._resolver.resolve(host, port, self.deadline.remaining())
        failure: OSError = OSError("the name has no address")
        for position, address in enumerate(addresses):
            share = self.deadline.remaining() / (len(addresses) - position)
            try:
                return self._connect(address, share)
            except OSError as error:
                failure = error
        raise failure

    def _connect(self, address: Any, seconds: float) -> socket.socket:
        family, kind, protocol, _, where = address
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(seconds, 0.001))
            sock.connect(where)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.deadline.guard(sock)
            sock.settimeout(max(self.deadline.remaining(), 0.001))
        except OSError:
            sock.close()
            raise
        return sock


# requests and urllib3 have no argument for this; a connection is opened in the thread of its call.
_line: ContextVar[Line] = ContextVar("line")


@contextmanager
def line_in_use(line: Line) -> Iterator[None]:
    """Open the connections of this block through *line*."""
    token = _line.set(line)
    try:
        yield
    finally:
        _line.reset(token)


class _Guarded:
    """Mixed into urllib3's connections: dials through the line, says when all (TLS too) stands."""

    host: str
    _dns_host: str
    port: int

    def _new_conn(self) -> socket.socket:
        try:
            return _line.get().dial(self._dns_host.strip("[]"), self.port)
        except OSError as error:  # because urllib3 goes on after some, as if they came from sending
            raise NewConnectionError(self, f"cannot connect: {error!r}") from None  # type: ignore[arg-type]

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        _line.get().deadline.mark_connected()


class _Connection(_Guarded, HTTPConnection):
    pass


class _TlsConnection(_Guarded, HTTPSConnection):
    pass


class _UsedOnce:
    """Mixed into urllib3's pools: keeps no connection, so no call can find a half-closed one."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        return self._new_conn()  # type: ignore[attr-defined]

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()


class _Pool(_UsedOnce, HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(_UsedOnce, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class GuardedAdapter(HTTPAdapter):
    """
    Makes requests use the connections above, with one TLS context for all of them, and never retry.

    With a context per connection, as requests has it, each call would read the whole bundle of
    authorities again.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        super().__init__(max_retries=Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Take the pools above."""
        self.poolmanager = PoolManager(ssl_context=self._tls)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave it to the context, which knows the authorities and requires a certificate."""
