"""
How production serves: threads, because one waits for Stripe during every exchange, behind a loop
that waits for slow clients.

The configuration is read here, before any process is forked: with a fault gunicorn does not start.
Nothing is loaded before the fork (no `--preload`): each process has threads and connections of its
own.
"""

import errno
import resource
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from gunicorn import systemd
from gunicorn.workers.base import Worker

ROOT = str(Path(__file__).resolve().parent)
sys.path.insert(0, ROOT)  # so that `-c` with an absolute path works from any folder

# SIGHUP runs this file again: what its modules were before must not be handed to new processes.
for loaded in ("config", "config_checks", "config_machine"):
    sys.modules.pop(loaded, None)

from config import ConfigError, load_config  # noqa: E402
from config_machine import metrics_folder  # noqa: E402

try:
    given = load_config()
except ConfigError as error:
    sys.exit(f"{error}")


class WaitressWorker(Worker):  # type: ignore[misc]  # published without types
    """Serves with waitress; loaded after the fork, so that SIGHUP brings new code."""

    def run(self) -> None:
        from app.http.worker import serve

        serve(self)


# Descriptors: two for each connection (a large body waits in a file), three for each thread
# (Stripe's twice, the database's), some for the process.
CONNECTIONS = 4096
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
others = 256 + 3 * given.web_threads
wanted = others + 2 * CONNECTIONS
wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))

chdir = ROOT
bind = given.bind
worker_class = WaitressWorker
workers = given.web_concurrency
threads = given.web_threads
worker_connections = max(64, (wanted - others) // 2)
backlog = 2048
timeout = int(2 * given.stripe_timeout) + 30
graceful_timeout = int(2 * given.stripe_timeout) + 30  # a stopping server finishes its links
control_socket_disable = True  # it would be one file for all instances of a user
accesslog = None  # the service writes its own line per request
errorlog = "-"
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None
counters = metrics_folder()  # each process has files of its own there; /metrics adds them up


def child_exit(server: Any, worker: Any) -> None:
    """What a process that has ended still had under way counts no more."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid, counters)


def on_exit(server: Any) -> None:
    """Remove the counters of an instance that has ended."""
    shutil.rmtree(counters, ignore_errors=True)


def on_starting(server: Any) -> None:
    """End with a sentence if nothing can be bound to HOST and PORT; a reload does not ask again."""
    if server.master_pid or systemd.listen_fds(unset_environment=False):
        return  # an older master or systemd hands its sockets over
    try:
        family, *_, address = socket.getaddrinfo(given.host, given.port)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:  # socket.gaierror is one
        sys.exit(why_not_bound(error))


def why_not_bound(error: OSError) -> str:
    """Return what is wrong with HOST and PORT, and what to do about it."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"PORT: {given.port} is in use at {given.host}."
            " End the program that listens there, or set PORT to another number."
        )
    if error.errno == errno.EACCES:
        return f"PORT: this user may not bind {given.port}; set PORT to a number from 1024 up."
    return (
        f"HOST: {given.host!r} is not an address of this machine. Some shells export HOST as the"
        " machine's name: set HOST=127.0.0.1, or 0.0.0.0 for all addresses."
    )
