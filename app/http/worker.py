"""
Serves in one of gunicorn's worker processes: waitress, on the sockets that gunicorn has opened.

Each of gunicorn's own threads waits for one client's request, so a few hundred clients that send
half of one and fall silent stop a process. waitress reads every connection in the main thread.
gunicorn stays in charge of processes, signals and settings; of these `bind`, `workers`, `threads`,
`worker_connections`, `backlog`, `timeout` and `graceful_timeout` count.
"""

import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer, UnixWSGIServer

from app.http.connection import LARGEST_HEAD, MOST_DISCARDED, SILENCE, Connection
from app.http.poller import Poller
from app.http.request_threads import RequestThreads

# Seconds in which a stopping server still takes requests on open connections. The nginx files of
# this project keep idle ones for less, so nginx is the first to close them.
LINGER = 3.0
SILENCE_WHEN_FULL = 1.0  # seconds, instead of SILENCE, when no more connections are accepted


def serve(worker: Worker) -> None:
    """Serve *worker*'s application until gunicorn says stop; then finish what is in flight."""
    poller = Poller()
    threads = RequestThreads(worker.cfg.threads)
    servers = [_listen(worker, each.sock, poller, threads) for each in worker.sockets]
    poller.touch(Wakeup(worker.PIPE[0], poller.sockets))
    while worker.alive and worker.ppid == os.getppid():
        for server in servers:
            poller.touch(server)  # it accepts or not, and closes what is overdue
        worker.notify()
        poller.wait(1.0)
    for server in servers:
        server.stop()
    _finish(worker, poller)
    threads.stop()
    poller.close()


def _listen(
    worker: Worker, sock: socket.socket, poller: Poller, threads: RequestThreads
) -> "TcpServer | UnixServer":
    kind = UnixServer if sock.family == socket.AF_UNIX else TcpServer
    server = kind(
        worker.wsgi,
        map=poller.sockets,
        _sock=sock,
        dispatcher=threads,
        adj=_adjustments(worker),
        sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
        bind_socket=False,
    )
    server.poller = poller
    poller.touch(server.trigger)
    return server


def _adjustments(worker: Worker) -> Adjustments:
    return Adjustments(
        backlog=worker.cfg.backlog,
        connection_limit=worker.cfg.worker_connections,
        cleanup_interval=1,
        inbuf_overflow=65536,  # larger bodies wait in a temporary file
        max_request_header_size=LARGEST_HEAD,
        max_request_body_size=MOST_DISCARDED,
        clear_untrusted_proxy_headers=False,  # whom to believe is decided by TRUSTED_PROXIES
        log_socket_errors=False,
        ident=None,
    )


def _finish(worker: Worker, poller: Poller) -> None:
    """Answer what has been asked, for at most `graceful_timeout` seconds."""
    give_up = time.monotonic() + worker.cfg.graceful_timeout
    looked_at = time.time()
    while time.monotonic() < give_up:
        worker.notify()
        poller.wait(0.1)
        then, looked_at = looked_at, time.time()  # what had arrived by then has been read
        connections = [each for each in poller.sockets.values() if isinstance(each, Connection)]
        if not connections:
            break
        for each in connections:
            if each.is_overdue(then, LINGER if each.is_idle() else SILENCE):
                each.disconnect()


class Listener:
    """What both kinds of server have in common."""

    channel_class = Connection
    is_stopping = False
    looked_at = 0.0
    adj: Adjustments
    poller: Poller
    trigger: Any
    _fileno: int
    active_channels: dict[int, Connection]
    accepting: bool
    effective_host: str
    socket: socket.socket
    in_connection_overflow: bool
    del_channel: Callable[[], None]
    handle_accept: Callable[[], None]

    def maintenance(self, now: float) -> None:
        """
        Close every connection whose client is silent or takes too long.

        It was so when we looked the last time: what had arrived by then has been read.
        """
        then, self.looked_at = self.looked_at, now
        silence = SILENCE_WHEN_FULL if self.in_connection_overflow else SILENCE
        for connection in self.active_channels.values():
            if connection.is_overdue(then, silence):
                connection.disconnect()

    def pull_trigger(self) -> None:
        """Wake the main thread for the connection that this thread answers."""
        self.poller.touch(self.poller.serving.connection)
        self.trigger.pull_trigger()

    def stop(self) -> None:
        """Accept what the system has let in already, and no more; other processes may go on."""
        waiting = select.poll()
        waiting.register(self._fileno, select.POLLIN)
        while waiting.poll(0):
            self.handle_accept()
        self.is_stopping, self.accepting = True, False
        self.poller.drop(self._fileno)
        self.del_channel()
        self.socket.close()


class TcpServer(Listener, TcpWSGIServer):  # type: ignore[misc]
    """Listens on an address."""

    def accept_connections(self) -> None:
        """Begin; the server's name is where it listens, for clients that name no host."""
        self.server_name = self.effective_host
        super().accept_connections()


class UnixServer(Listener, UnixWSGIServer):  # type: ignore[misc]
    """Listens on a path."""

    def fix_addr(self, _address: object) -> tuple[str, int]:
        """Return the client's address: it has none."""
        return ("", 0)


class Wakeup(wasyncore.file_dispatcher):  # type: ignore[misc]
    """Ends the wait for sockets when a signal arrives: Python writes a byte to this pipe."""

    def writable(self) -> bool:
        """Nothing is ever written."""
        return False

    def handle_read(self) -> None:
        """Drop the bytes."""
        self.recv(4096)
