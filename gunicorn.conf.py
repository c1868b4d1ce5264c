"""
How production serves: threads, because one waits for Stripe during every exchange, behind a loop
that waits for slow clients.

The configuration is read here, before any process is forked: with a fault gunicorn does not start.
Nothing is loaded before the fork (no `--preload`): each process has threads and connections of its
own.
"""

import resource
import sys

from gunicorn.workers.base import Worker

from config import ConfigError, load_config

try:
    given = load_config()
except ConfigError as error:
    sys.exit(f"{error}")


class WaitressWorker(Worker):
    """Serves with waitress; loaded after the fork, so that SIGHUP brings new code."""

    def run(self):
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

bind = f"{given.host}:{given.port}"
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
