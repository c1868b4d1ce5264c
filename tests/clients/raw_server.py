"""A server on a real socket that behaves as badly as a test wants it to."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

GOOD_GRANT = (
    b'{"stripe_user_id": "acct_1Good", "livemode": false, "scope": "read_write",'
    b' "token_type": "bearer"}'
)


class RawServer:
    """
    Reads one request from each connection, keeps it, and leaves the answer to *behave*.

    `over` is set when the test is over: a behaviour that waits, waits for it, so nothing outlives
    its test. With *tls* the connection is wrapped first.
    """

    def __init__(
        self,
        behave: Callable[[socket.socket, "RawServer"], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[bytes] = []
        self.arrived = threading.Semaphore(0)
        self.over = threading.Event()
        self._behave = behave
        self._tls = tls
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._start(self._accept)

    def stop(self) -> None:
        """End every connection and wait for their threads."""
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        # The client cuts the connection in most tests: that is what they are about.
        with suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self.requests.append(read_request(connection))
                self.arrived.release()
                self._behave(connection, self)
        connection.close()


@contextmanager
def serving(
    behave: Callable[[socket.socket, RawServer], None], tls: ssl.SSLContext | None = None
) -> Iterator[RawServer]:
    """Run a RawServer for the length of a block."""
    server = RawServer(behave, tls)
    try:
        yield server
    finally:
        server.stop()


def read_request(connection: socket.socket) -> bytes:
    """Read one HTTP request with its body; of a TLS greeting, what comes first."""
    data = _more(connection)
    if data.startswith(b"\x16"):
        return data
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].split(b":")[1]) if lengths else 0
    while len(body) < length:
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise OSError("the client went away")
    return data


def http(
    body: bytes, *, status: str = "200 OK", length: int | None = None, headers: bytes = b""
) -> bytes:
    """Return an HTTP answer as bytes; *length* is what it claims of its body."""
    claimed = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {claimed}\r\n"
    return head.encode() + headers + b"\r\n" + body


def answering(data: bytes) -> Callable[[socket.socket, RawServer], None]:
    """Send *data* and close."""

    def behave(connection: socket.socket, server: RawServer) -> None:
        connection.sendall(data)

    return behave


def dripping(start: bytes, drop: bytes) -> Callable[[socket.socket, RawServer], None]:
    """Send *start*, then *drop* every twentieth of a second for as long as anybody listens."""

    def behave(connection: socket.socket, server: RawServer) -> None:
        connection.sendall(start)
        while not server.over.wait(0.05):
            connection.sendall(drop)

    return behave


def flooding(start: bytes, flood: bytes) -> Callable[[socket.socket, RawServer], None]:
    """Send *start*, then *flood* without a pause for as long as anybody listens."""

    def behave(connection: socket.socket, server: RawServer) -> None:
        connection.sendall(start)
        while not server.over.is_set():
            connection.sendall(flood)

    return behave


def hanging(connection: socket.socket, server: RawServer) -> None:
    """Say nothing."""
    server.over.wait()


def closing(connection: socket.socket, server: RawServer) -> None:
    """Close without a word."""


def resetting(connection: socket.socket, server: RawServer) -> None:
    """Close with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def forwarding(connection: socket.socket, server: RawServer) -> None:
    """Be a proxy: open the tunnel that CONNECT asks for, and carry bytes until a side closes."""
    _, address, _ = server.requests[-1].split(b" ", 2)
    host, _, port = address.decode().rpartition(":")
    with socket.create_connection((host, int(port))) as target:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
        back = threading.Thread(target=_carry, args=(target, connection), daemon=True)
        back.start()
        _carry(connection, target)
        back.join(10)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
