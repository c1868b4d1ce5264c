"""The service and the floor, each under gunicorn as shipped, and a Stripe to ask."""

import http.client
import time
from collections.abc import Mapping
from typing import Protocol

import psutil
import requests

from tests.live import Service
from tests.postgres import free_port
from tests.processes import Program

PROCESSES = 2
SHIPPED = (".venv/shipped/bin/python", "-m")  # made by `make bench`
LOGS = {"LOG_FORMAT": "json", "LOG_LEVEL": "info"}
GUNICORN = ["gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]


class Addressed(Protocol):
    """What takes requests at an address."""

    @property
    def url(self) -> str:
        """Its base URL."""
        ...

    @property
    def address(self) -> tuple[str, int]:
        """Its host and port."""
        ...


def processor_seconds(pid: int) -> float:
    """Return what a process and its children have taken; those that have ended count too."""
    leader = psutil.Process(pid)
    times = [each.cpu_times() for each in (leader, *leader.children(recursive=True))]
    ended = times[0].children_user + times[0].children_system
    return ended + sum(each.user + each.system for each in times)


class Measured(Service):
    """The service, with the log of production. Usable as a context: it ends with it."""

    launcher = SHIPPED

    def __init__(
        self,
        database_url: str,
        stripe: "TokenEndpoint | None" = None,
        processes: int = PROCESSES,
    ) -> None:
        super().__init__()
        self.processes = processes
        urls = stripe.environment if stripe else {}
        self.settings = {"DATABASE_URL": database_url, **LOGS, **urls}

    def __enter__(self) -> "Measured":
        self.start(self.settings, self.processes)
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.port

    def seconds_to_first_answer(self, path: str) -> float:
        """Start, and return how long it took until *path* was answered."""
        self.stop()
        self.port = free_port()
        address = {"HOST": "127.0.0.1", "PORT": str(self.port), "WEB_CONCURRENCY": str(PROCESSES)}
        started = time.perf_counter()
        self._spawn(GUNICORN, {"PUBLIC_URL": self.url, **self.settings, **address})
        while not self._gives(path):
            if not self.running or time.perf_counter() - started > 60:
                raise RuntimeError(f"It does not start: {self.stderr[-2000:]}")
            time.sleep(0.002)
        return time.perf_counter() - started

    def megabytes(self) -> list[float]:
        """Return the resident memory of each worker."""
        return [psutil.Process(pid).memory_info().rss / 1e6 for pid in self.workers]

    def _gives(self, path: str) -> bool:
        connection = http.client.HTTPConnection(*self.address, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Floor(Measured):
    """
    The bare Flask view in the service's place, with as many processes and threads.

    It is served by gunicorn's own threads (gthread), as a bare view would be.
    """

    def _spawn(self, arguments: list[str], env: Mapping[str, str] | None) -> None:
        served = ["--worker-class", "gthread", "benchmarks.floor:app"]
        super()._spawn([*arguments[:-1], *served], env)


class TokenEndpoint(Program):
    """A Stripe that grants every code and makes every payment (`token_endpoint.py`)."""

    url = ""

    def __enter__(self) -> "TokenEndpoint":
        self._spawn(["benchmarks.token_endpoint"], env=None)
        self.url = self._wait_until(lambda: self.stdout.partition("\n")[0], "address")
        return self

    @property
    def environment(self) -> dict[str, str]:
        """What a service needs to speak to it."""
        return {"STRIPE_CONNECT_URL": self.url, "STRIPE_API_URL": self.url}

    def delay(self, seconds: float) -> None:
        """Answer that much later from now on."""
        requests.post(f"{self.url}/delay", data=str(seconds), timeout=5).raise_for_status()
