"""A thousand clients that send half a request and fall silent, at one process under gunicorn."""

import resource
import socket
import time
from contextlib import ExitStack

import pytest
import requests

from tests.live import Service, migrate

SILENT = 1000
HALVES = (
    b"",
    b"GET /v1/settings HTTP/1.1\r\nHost: 127.0.0.1\r\nX-H",
    b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{",
)
READS = 100


@pytest.fixture(name="service")
def _service(tmp_path):
    url = f"sqlite:///{tmp_path / 'app.db'}"
    migrate(url)
    with Service() as service:
        service.start({"DATABASE_URL": url, "LOG_LEVEL": "warning"}, processes=1)
        yield service


@pytest.fixture(name="descriptors")
def _descriptors():
    """As many as this process needs for its own end of the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * SILENT + soft), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def wait_until_closed(connection, deadline):
    """Whether the server closes *connection* before *deadline*."""
    connection.settimeout(max(0.01, deadline - time.monotonic()))
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_reads_are_answered_beside_a_thousand_silent_clients(service, descriptors):
    with ExitStack() as stack:
        silent = []
        for number in range(SILENT):
            address = ("127.0.0.1", service.port)
            connection = stack.enter_context(socket.create_connection(address))
            connection.sendall(HALVES[number % len(HALVES)])
            silent.append(connection)
        connected = time.monotonic()

        took = []
        for _ in range(READS):
            answer = requests.get(f"{service.url}/v1/settings", timeout=30)
            assert answer.status_code == 200
            took.append(answer.elapsed.total_seconds())
        assert time.monotonic() - connected < 10, "the clients were still silent"
        closed = [wait_until_closed(each, connected + 15) for each in silent]

    assert sorted(took)[int(READS * 0.99) - 1] <= 1
    assert all(closed)
