"""The service and the floor, each under gunicorn as shipped, and a Stripe to be asked."""

import json
from collections.abc import Mapping

import psutil
import requests

from tests.live import Service
from tests.processes import Program

LOGS = {"LOG_FORMAT": "json", "LOG_LEVEL": "info"}


class Measured(Service):
    """The service, with the log of production. Usable as a context: it ends with it."""

    def __init__(self, database_url: str, stripe: "TokenEndpoint | None" = None) -> None:
        super().__init__()
        urls = {"STRIPE_CONNECT_URL": stripe.url, "STRIPE_API_URL": stripe.url} if stripe else {}
        self.settings = {"DATABASE_URL": database_url, **LOGS, **urls}

    def __enter__(self) -> "Measured":
        self.start(self.settings)
        return self

    def memory(self) -> list[float]:
        """Return the resident memory of each worker, in MB."""
        return [psutil.Process(pid).memory_info().rss / 1e6 for pid in self.workers]


class Floor(Measured):
    """The bare Flask view in the service's place, in every other respect the same."""

    def _spawn(self, arguments: list[str], env: Mapping[str, str] | None) -> None:
        super()._spawn([*arguments[:-1], "benchmarks.floor:app"], env)


class TokenEndpoint(Program):
    """A Stripe that grants every code, after a delay (`token_endpoint.py`)."""

    url = ""

    def __enter__(self) -> "TokenEndpoint":
        self._spawn(["benchmarks.token_endpoint"], env=None)
        self.url = self._wait_until(lambda: self.stdout.partition("\n")[0], "address")
        return self

    def delay(self, seconds: float) -> None:
        """Answer that much later from now on."""
        requests.post(f"{self.url}/delay", data=str(seconds), timeout=5).raise_for_status()


def pretty(document: object) -> str:
    """Return *document* as JSON whose members are in order, to compare it by."""
    return json.dumps(document, sort_keys=True)
