"""Serves a WSGI application in this process, as one of gunicorn's workers would."""

import os
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from types import SimpleNamespace

from app.http.worker import serve

LONG = 20  # seconds after which it will not happen any more


@contextmanager
def served(application, *, threads=4, connections=500, family=socket.AF_INET, address=None):
    """Serve *application*; yields the worker, whose `address` is where, and `stop` ends it."""
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.bind(address or ("127.0.0.1", 0))
    reading, writing = os.pipe()
    worker = SimpleNamespace(
        wsgi=application,
        cfg=SimpleNamespace(
            threads=threads, worker_connections=connections, backlog=64, graceful_timeout=LONG
        ),
        sockets=[SimpleNamespace(sock=listening)],
        address=listening.getsockname(),
        family=family,
        PIPE=(reading, writing),
        ppid=os.getppid(),
        alive=True,
        notify=lambda: None,
    )
    thread = threading.Thread(target=serve, args=(worker,))
    listening.listen(64)

    def stop():
        worker.alive = False
        os.write(writing, bytes([signal.SIGTERM]))  # as Python does when a signal arrives

    worker.stop, worker.wait = stop, lambda: thread.join(LONG)
    thread.start()
    try:
        yield worker
    finally:
        stop()
        thread.join(LONG)
        os.close(reading)
        os.close(writing)
        assert not thread.is_alive()


@contextmanager
def connected(worker, *pieces):
    """Connect to *worker* and send *pieces*."""
    with socket.socket(worker.family, socket.SOCK_STREAM) as connection:
        connection.settimeout(LONG)
        connection.connect(worker.address)
        for piece in pieces:
            connection.sendall(piece)
        yield connection


def read(connection):
    """Return one answer: its head as text, and its body."""
    got = b""
    while b"\r\n\r\n" not in got:
        if not (more := connection.recv(65536)):
            return got.decode("latin-1"), b""
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
    length = next((int(value) for name, _, value in lines if name == "Content-Length"), 0)
    while len(body) < length and (more := connection.recv(65536)):
        body += more
    return head.decode("latin-1"), body


def ask(worker, *pieces):
    """Send *pieces* over a connection of their own; return one answer's head and body."""
    with connected(worker, *pieces) as connection:
        return read(connection)


def is_closed(connection):
    """Whether the server has closed *connection*, without a further word; waits for it."""
    with suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True
