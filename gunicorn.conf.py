"""
How production serves: gthread, because a thread waits for Stripe during every exchange.

The configuration is read here, before any process is forked: with a fault gunicorn does not start.
"""

import json
import resource
import sys
from uuid import uuid4

from gunicorn import util

from config import ConfigError, load_config

try:
    given = load_config()
except ConfigError as error:
    sys.exit(f"{error}")

# A thread may need four descriptors at once: its caller's socket, Stripe's twice, the database's.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
wanted = 1024 + 4 * given.web_threads
wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))

bind = f"{given.host}:{given.port}"
worker_class = "gthread"
workers = given.web_concurrency
threads = given.web_threads
worker_connections = given.web_threads * 4  # waiting to be read; a keep-alive connection counts
backlog = 2048
keepalive = 5
timeout = int(2 * given.stripe_timeout) + 30
graceful_timeout = int(2 * given.stripe_timeout) + 30  # a stopping server finishes its links
limit_request_line = 8190
limit_request_fields = 60
limit_request_field_size = 8190
control_socket_disable = True  # it would be one file for all instances of a user
forwarded_allow_ips = ""  # what proxies say is judged by TRUSTED_PROXIES alone
accesslog = None  # the service writes its own line per request
errorlog = "-"
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None


def tell_in_json_api(sock, status: int, reason: str, message: str) -> None:
    """Refuse what is no HTTP request, or has too large a head: our code never sees it."""
    error = {
        "id": uuid4().hex,
        "status": str(status),
        "code": "internal" if status == 500 else "bad-parameter",
        "title": reason,
        "detail": "The request cannot be read, or its address or headers are too long.",
    }
    body = json.dumps({"errors": [error], "jsonapi": {"version": "1.0"}})
    head = [
        f"HTTP/1.1 {status} {reason}",
        "Connection: close",
        "Content-Type: application/vnd.api+json",
        f"Content-Length: {len(body)}",
        f"X-Request-ID: {error['id']}",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
    ]
    util.write_nonblock(sock, "\r\n".join([*head, "", body]).encode())


util.write_error = tell_in_json_api  # there is no setting for it, and its own answer is a page
