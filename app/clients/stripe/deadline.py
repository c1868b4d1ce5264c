"""
A requests adapter with one deadline for the whole call, where requests counts per read.

Against a server that sends a byte now and then, a timeout per read never ends. In CPython
connecting, the TLS handshake and a send are timed as a whole; only reads are timed one by one. So
the sockets below set the time that is left before each step, and no thread has to watch them.
"""

import socket
import ssl
import time
from functools import cache
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util import Url, parse_url

from app.clients.stripe.resolver import Resolver

CONNECT_TIMEOUT = 3.0  # seconds for the name, the connection, a proxy's consent and TLS together


class Deadline:
    """One call's time in seconds: *timeout* in all, at most CONNECT_TIMEOUT of it to connect."""

    def __init__(self, timeout: float) -> None:
        now = time.monotonic()
        self._connect_by = now + min(timeout, CONNECT_TIMEOUT)
        self._end = now + timeout
        self.connected = False

    @property
    def is_over(self) -> bool:
        """Whether the time for the whole call is up."""
        return time.monotonic() >= self._end

    def remaining(self) -> float:
        """Return the seconds left for the step under way. Raises TimeoutError if there are none."""
        left = (self._end if self.connected else self._connect_by) - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for this call is over")
        return left

    def mark_connected(self) -> None:
        """From now on data may flow. Raises TimeoutError if it is too late."""
        self.remaining()
        self.connected = True


class _Socket(socket.socket):
    deadline: Deadline

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.deadline.remaining())
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.deadline.remaining())
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.deadline.remaining())
        super().sendall(*args, **kwargs)


class _TlsSocket(_Socket, ssl.SSLSocket):
    pass


class TlsContext(ssl.SSLContext):
    """Wraps sockets that have a deadline; what comes out of it keeps the deadline."""

    sslsocket_class = _TlsSocket

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Shake hands within the time that is left to connect."""
        if not isinstance(sock, _Socket):
            raise TypeError("Only a socket with a deadline can be wrapped.")
        sock.settimeout(sock.deadline.remaining())
        wrapped = super().wrap_socket(sock, *args, **kwargs)
        if not isinstance(wrapped, _TlsSocket):
            raise TypeError("The context made a socket of another class.")
        wrapped.deadline = sock.deadline
        return wrapped


@cache
def trusting(ca_file: str | None = None) -> TlsContext:
    """
    Return the one TLS context for these authorities (default: those that requests brings).

    To read them takes tens of milliseconds. What the environment names is not trusted.
    """
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca_file or DEFAULT_CA_BUNDLE_PATH)
    return context


class _Connection(HTTPConnection):
    """Dials within the deadline, and notes when all of it (TLS, a proxy's tunnel) stands."""

    def __init__(self, *args: Any, deadline: Deadline, resolver: Resolver, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline = deadline
        self._resolver = resolver

    def _new_conn(self) -> socket.socket:
        try:
            return self._dial(self._dns_host.strip("[]"), self.port)
        except OSError as error:  # because urllib3 goes on after some, as if they came from sending
            raise NewConnectionError(self, f"cannot connect: {error!r}") from None

    def _dial(self, host: str, port: int) -> socket.socket:
        """
        Connect to the first address of *host* that answers.

        The addresses share the time that is left, so that a dead one does not use up all of it.
        """
        addresses = self._resolver.resolve(host, port, self._deadline.remaining())
        failure = OSError("the name has no address")
        for position, address in enumerate(addresses):
            share = self._deadline.remaining() / (len(addresses) - position)
            try:
                return self._reach(address, share)
            except OSError as error:
                failure = error
        raise failure

    def _reach(self, address: Any, seconds: float) -> socket.socket:
        family, kind, protocol, _, where = address
        sock = _Socket(family, kind, protocol)
        sock.deadline = self._deadline
        try:
            sock.settimeout(seconds)
            sock.connect(where)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            sock.close()
            raise
        return sock

    def connect(self) -> None:
        super().connect()
        self._deadline.mark_connected()


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    """Keeps no connection, so no call can find a half-closed one."""

    ConnectionCls = _Connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()


class _TlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _OneCall(HTTPAdapter):
    """Sends one request: retries nothing, follows nothing, and is thrown away afterwards."""

    def __init__(
        self, tls: ssl.SSLContext, proxy: Url | None, deadline: Deadline, resolver: Resolver
    ) -> None:
        super().__init__()
        self._tls = tls
        self._proxy = proxy
        self._of_the_call: dict[str, Any] = {"deadline": deadline, "resolver": resolver}
        if proxy is not None:
            self._of_the_call["_proxy"] = proxy

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: Any, **__: Any
    ) -> HTTPConnectionPool:
        """Return a pool for this call alone; over TLS a proxy is asked for a tunnel."""
        url = parse_url(request.url or "")
        if url.scheme == "https":
            return _TlsPool(url.host or "", url.port, ssl_context=self._tls, **self._of_the_call)
        target = self._proxy or url
        return _Pool(target.host or "", target.port or 80, **self._of_the_call)

    def cert_verify(self, *_: Any) -> None:
        """Leave it to the context, which knows the authorities and requires a certificate."""


class DeadlineAdapter(BaseAdapter):
    """
    Mounted on a session of requests, it takes the timeout of each request as its total.

    Authorities and proxies that the session hands over do not count: they are the adapter's own. A
    connection serves one request. Threads may share the adapter.
    """

    def __init__(self, tls: TlsContext, proxy: str | None = None) -> None:
        super().__init__()
        self._tls = tls
        self._proxy = parse_url(proxy) if proxy else None
        self._proxies = {"http": proxy, "https": proxy} if proxy else None
        self._resolver = Resolver()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        *_: Any,
        **__: Any,
    ) -> requests.Response:
        """Send *request*; what goes wrong is raised as requests does. Raises ValueError."""
        if not isinstance(timeout, int | float):
            raise ValueError("A call needs a timeout: one number of seconds, for all of it.")
        return self.send_within(request, Deadline(timeout))

    def send_within(
        self, request: requests.PreparedRequest, deadline: Deadline
    ) -> requests.Response:
        """Send *request* before *deadline*, which goes on while the answer's body is read."""
        call = _OneCall(self._tls, self._proxy, deadline, self._resolver)
        return call.send(request, stream=True, proxies=self._proxies)

    def close(self) -> None:
        """Nothing is held between requests."""
