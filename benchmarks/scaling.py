"""
`make bench ARGS="--scaling"`: one instance against two, what a request takes of each part, and how
the tables grow. It writes the figures of docs/scaling.md.

The instances have one process each and stand behind the nginx that is shipped for compose, with
one PostgreSQL that syncs every commit. Everything shares this machine's processors, the load too.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report
from benchmarks.links import send_links
from benchmarks.load import requests_per_second
from benchmarks.reads import EVENTS_AUTHORIZATION
from benchmarks.servers import Measured, TokenEndpoint, processor_seconds
from benchmarks.world import DATABASE, World, fill
from tests.live import migrate
from tests.postgres import PostgresServer
from tests.servers import Nginx

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "scaling.md"
SECONDS, LINKS, MANY = 5, 200, 1_000_000
TABLES = ("stripe_authorizations", "events", "users_events_roles")
PER_LINK = ("stripe_link_attempts", "audit_entries", "stripe_accounts")


class Front(Nginx):
    """The nginx of compose.yaml in front of *instances*."""

    def __init__(self, instances: list[Measured]) -> None:
        text = (ROOT / "deploy/compose/nginx.conf").read_text()
        text = re.sub(r"^ *server (first|second):5000.*\n", "", text, flags=re.MULTILINE)
        servers = " ".join(f"server 127.0.0.1:{each.port};" for each in instances)
        text = text.replace("least_conn;", f"least_conn; {servers}")
        text = text.replace("listen 8080", "listen 127.0.0.1:{port}")
        text = re.sub(r"/tmp/(\w+)", r"{folder}/\1", text).replace("/dev/stdout", "off")
        super().__init__(text.replace(" off without_query", " off"))

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.port


@dataclass(frozen=True)
class Load:
    """What a load came to: requests per second, and milliseconds of processor time per request."""

    per_second: float
    in_service: float
    in_postgresql: float

    @property
    def cells(self) -> list[str]:
        """The cells of a table."""
        return [f"{self.per_second:.0f}", f"{self.in_service:.1f}", f"{self.in_postgresql:.2f}"]


def main() -> None:
    """Measure, and write the page."""
    started = time.monotonic()
    with PostgresServer(fsync=True, settings=DATABASE) as server:
        server.make_template("migrated", build=migrate)
        small, large = (
            fill(server.create_database(template="migrated"), links=links, unlinked=unlinked)
            for links, unlinked in ((1000, 2 * LINKS), (MANY, 0))
        )
        lines = _measure_all(server, small, large)
        version = server.version
    took = time.monotonic() - started
    print("\n".join(lines))
    report.write(lines, 'make bench ARGS="--scaling"', took, version, PAGE)


def _measure_all(server: PostgresServer, small: World, large: World) -> list[str]:
    lines = ["| | instances | requests/s | service, ms | PostgreSQL, ms |", "|---|---|---|---|---|"]
    events = small.unlinked()
    with TokenEndpoint() as stripe:
        for count in (1, 2):
            for what, load in _measure_instances(server, small, stripe, events, count):
                lines.append(f"| {what} | {count} | {' | '.join(load.cells)} |")
    return [*lines, "", *_describe_growth(server, small, large)]


def _measure_instances(
    server: PostgresServer, world: World, stripe: TokenEndpoint, events: Iterator[int], count: int
) -> Iterator[tuple[str, Load]]:
    with ExitStack() as stack:
        instances = [
            stack.enter_context(Measured(world.url, stripe, processes=1)) for _ in range(count)
        ]
        front = stack.enter_context(Front(instances))

        def read() -> float:
            path, signed_in = EVENTS_AUTHORIZATION
            how = {"signed_in": signed_in, "seconds": SECONDS}
            return SECONDS * requests_per_second(front, world, path, **how)

        def link() -> float:
            statuses = send_links(front, world, events, LINKS)["statuses"]
            if set(statuses) != {201}:
                raise RuntimeError(f"links were answered {statuses}")
            return len(statuses)

        read()  # to warm up
        yield "read the key of an event", _measure(server, instances, read)
        yield f"link, {LINKS} at one instant", _measure(server, instances, link)


def _measure(server: PostgresServer, instances: list[Measured], work: Callable[[], float]) -> Load:
    """Do *work*, which returns how many requests it was, and share out what it took."""
    before = _processor_times(server, instances)
    started = time.perf_counter()
    number = work()
    took = time.perf_counter() - started
    after = _processor_times(server, instances)
    service, postgresql = (
        1000 * (now - then) / number for now, then in zip(after, before, strict=True)
    )
    return Load(number / took, service, postgresql)


def _processor_times(server: PostgresServer, instances: list[Measured]) -> tuple[float, float]:
    """Return the processor time of the instances and of PostgreSQL so far, in seconds."""
    assert server.process is not None
    service = sum(processor_seconds(worker) for each in instances for worker in each.workers)
    return service, processor_seconds(server.process.pid)


def _describe_growth(server: PostgresServer, small: World, large: World) -> list[str]:
    """Return how much a million links take, in a table; small's links were made by the service."""
    lines = ["| of a million links | GB |", "|---|---|"]
    for table in TABLES:
        size = _size(server, large, table) * 1_000_000 / large.links
        lines.append(f"| `{table}` | {size / 1e9:.1f} |")
    [(made,)] = server.execute(
        "SELECT count(*) FROM stripe_link_attempts", database=_database(small)
    )
    for table in PER_LINK:
        size = _size(server, small, table) * 1_000_000 / made
        lines.append(f"| `{table}` (one connect each) | {size / 1e9:.1f} |")
    return lines


def _size(server: PostgresServer, world: World, table: str) -> int:
    """Return the bytes of a table with its indexes."""
    statement = f"SELECT pg_total_relation_size('{table}')"
    [(size,)] = server.execute(statement, database=_database(world))
    return int(size)


def _database(world: World) -> str:
    return world.url.rpartition("/")[2]
