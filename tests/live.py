"""
The real service and the local Stripe, each in processes of its own, for tests that need the truth.

    with LocalStripe() as stripe, Service() as service:
        base = service.start({"DATABASE_URL": url, **stripe.environment}, processes=2)
        stripe.control("faults", {"fault": "slow"})
        service.kill()                                  # as the machine would, the whole group
        service.start({...}, port=service.port)         # and back, at the same address

Everything started here ends with the test session, however that ends (see guardian.py).
"""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.postgres import PostgresServer, free_port
from tests.processes import Program, StartFailed, run_manage


class Service(Program):
    """The service under gunicorn, as in production: a master and *processes* workers."""

    port = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(
        self, env: Mapping[str, str] | None = None, processes: int = 2, *, port: int | None = None
    ) -> str:
        """
        Start with *env* over the session's environment, wait until `/health/live` answers, return
        the base URL. A *port* is kept; without one, a free one is found.
        """
        for tries_left in (2, 1, 0):
            self.port = port or free_port()
            try:
                self._start(env or {}, processes)
                break
            except StartFailed as failure:
                if port or not tries_left or "in use" not in failure.output:
                    raise
        return self.url

    def _start(self, env: Mapping[str, str], processes: int) -> None:
        address = {"HOST": "127.0.0.1", "PORT": str(self.port), "WEB_CONCURRENCY": str(processes)}
        self._spawn(
            ["gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"],
            {"PUBLIC_URL": self.url, **env, **address},
        )
        self._wait_until(self._answers, f"answer of /health/live at {self.url}")

    @property
    def workers(self) -> list[int]:
        """The process ids of gunicorn's workers."""
        return [child.pid for child in psutil.Process(self.pid).children()]

    def _answers(self) -> bool:
        """Whether it is up. A stranger may have the port: nobody is asked before we listen."""
        try:
            sockets = psutil.Process(self.pid).net_connections(kind="tcp")
            listening = {s.laddr.port for s in sockets if s.status == psutil.CONN_LISTEN}
            return self.port in listening and _get(self.url + "/health/live").status == 200
        except (OSError, http.client.HTTPException, psutil.NoSuchProcess):
            return False


class LocalStripe(Program):
    """The local Stripe. `details` is the line it prints at start."""

    def __init__(self) -> None:
        super().__init__()
        self.details: dict[str, Any] = {}

    def __enter__(self) -> "LocalStripe":
        if not self.running:
            self.start()
        return self

    def start(self, *arguments: str, redirect_uris: tuple[str, ...] = (), webhook_url: str = ""):
        """Start on a free port; *arguments* are further options of its command line."""
        options = [option for uri in redirect_uris for option in ("--redirect-uri", uri)]
        options += ["--webhook-url", webhook_url] if webhook_url else []
        written = len(self.stdout)
        self._spawn(["app.devtools.stripe_emulator", "--port", "0", *options, *arguments], env=None)
        line = self._wait_until(lambda: _first_line(self.stdout[written:]), "line of JSON")
        self.details = json.loads(line)
        return self.url

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.details["url"]

    @property
    def settings(self) -> dict[str, str]:
        """The settings' attributes to PATCH at the service, both modes."""
        return self.details["settings"]

    @property
    def environment(self) -> dict[str, str]:
        """What a service needs to speak to it."""
        return {"STRIPE_CONNECT_URL": self.url, "STRIPE_API_URL": self.url}

    def control(self, path: str, body: Any = None) -> Any:
        """`/_control/<path>`: POST *body* as JSON, or GET without one; returns the JSON answer."""
        response = _get(f"{self.url}/_control/{path}", body)
        if response.status >= 400:
            raise RuntimeError(f"/_control/{path}: {response.status} {response.text}")
        return json.loads(response.text or "null")


class Demo(Program):
    """What `make run` starts, on free ports and with data of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.port, self.stripe_port = free_port(), free_port()

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> str:
        """Start, wait until it has told where it is, return the service's URL."""
        env = {
            "APP_ENV": "development",
            "DATABASE_URL": f"sqlite:///{self.folder / 'demo.db'}",
            "PORT": str(self.port),
        }
        state = str(self.folder / "stripe.json")
        options = ["--stripe-port", str(self.stripe_port), "--stripe-state", state]
        told = self.stdout.count("Ctrl-C ends both")
        self._spawn(["app.devtools.demo", *options], env)
        self._wait_until(lambda: self.stdout.count("Ctrl-C ends both") > told, "word where it is")
        return self.url


class _Answer:
    def __init__(self, status: int, text: str) -> None:
        self.status, self.text = status, text


def _get(url: str, body: Any = None) -> _Answer:
    """GET, or POST *body* as JSON, past every proxy setting of this machine."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        if body is None:
            connection.request("GET", parts.path)
        else:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", parts.path, json.dumps(body), headers)
        response = connection.getresponse()
        return _Answer(response.status, response.read().decode())
    finally:
        connection.close()


def _first_line(text: str) -> str | None:
    line, end, _rest = text.partition("\n")
    return line if end else None


@pytest.fixture
def local_stripe() -> Iterator[LocalStripe]:
    """A local Stripe of the test's own, started."""
    with LocalStripe() as stripe:
        yield stripe


@pytest.fixture
def demo() -> Iterator[Demo]:
    """A running demo. Its servers are in groups of their own: it must be asked to end."""
    with Demo() as running:
        running.start()
        yield running
        running.stop()


@pytest.fixture
def start_service() -> Iterator[Callable[..., Service]]:
    """`start_service(env, processes=2)` gives a running Service; all of them end with the test."""
    started: list[Service] = []

    def start(*args: Any, **kwargs: Any) -> Service:
        started.append(Service())
        started[-1].start(*args, **kwargs)
        return started[-1]

    yield start
    for service in started:
        service.stop()


def migrate(database_url: str) -> None:
    """Bring a database up to date with `manage.py db upgrade`."""
    run_manage("db", "upgrade", env={"DATABASE_URL": database_url}, check=True)


@pytest.fixture
def migrated_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database of the test's own with every migration applied."""
    template = postgres_server.make_template("migrated", build=migrate)
    url = postgres_server.create_database(template=template)
    yield url
    postgres_server.drop_database(url)
