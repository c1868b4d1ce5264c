"""
`make bench`: the service against the floor, in turns, on one machine in one run.

Prints the ratios and writes them to docs/performance.md.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import click
import psycopg2
import requests

from benchmarks.load import requests_per_second
from benchmarks.servers import Floor, Measured, TokenEndpoint
from benchmarks.world import World, fill
from tests.live import migrate
from tests.postgres import PostgresServer

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
TURNS = 4
SECONDS = 2
LINKS = 1000
LINKED = 40
PAGE_TEXT = """# How fast it is

`make bench` repeats this page: the service under gunicorn as shipped, against a bare Flask view
on a psycopg2 pool with PyJWT that does the same reads, with the same log line, headers and bodies
(`benchmarks/floor.py` says what it leaves out). Both run on one PostgreSQL with fsync and are
loaded in turns by wrk, {turns} times {seconds} s each; a ratio is the service's requests/s over
the floor's in the same turn.

{cores} cores, Python {python}, {links} links; load of the machine at the end: {load:.1f}. A load
above the number of cores means that others were at work on it: then only the ratios say something.

| what | ratio, median | spread | service, floor |
|---|---|---|---|
{rows}

Resident memory of a worker after the run: {memory:.0f} MB.

Not measured by this run: bursts of hundreds of links at a slow Stripe (`make torture` has 300 at
2 s, see [reliability](reliability.md)), a table of a million links, and the time from import to the
first answer.
"""
READS = (
    ("GET authorization, organizer's token", "/v1/stripe-authorizations/%d", True),
    ("GET event's authorization, anonymous", "/v1/events/%d/stripe-authorization", False),
    ("GET public settings, anonymous", "/v1/settings", False),
    ("GET list of 100 authorizations", "/v1/stripe-authorizations?page%%5Bsize%%5D=100", True),
)


def main() -> None:
    """Measure everything once, bounded in count and time."""
    with PostgresServer(fsync=True) as server, TokenEndpoint() as stripe:
        url = server.create_database()
        migrate(url)
        world = fill(url, links=LINKS, unlinked=2 * LINKED)
        with Measured(url, stripe) as service, Floor(url) as floor:
            rows = [compare_reads(service, floor, world, *read) for read in READS]
            rows.append(compare_links(service, stripe, world))
            memory = max(service.memory())
    page = describe(rows, memory)
    PAGE.write_text(page)
    click.echo(page)


def compare_reads(
    service: Measured, floor: Measured, world: World, name: str, path: str, signed_in: bool
) -> str:
    """Load both in turns; return a row of the table: requests/s of one over the other's."""

    def rate(of: Measured) -> float:
        return requests_per_second(of, world, path, signed_in=signed_in, seconds=SECONDS)

    ratios, rates = in_turns(lambda: rate(service), lambda: rate(floor))
    return row(name, ratios, f"{rates[0]:.0f} and {rates[1]:.0f} requests/s")


def compare_links(service: Measured, stripe: TokenEndpoint, world: World) -> str:
    """Link at a Stripe that answers at once, against one bare POST there and two bare commits."""
    events = iter(world.unlinked(LINKED))
    http = requests.Session()
    headers = {"Authorization": f"JWT {world.token}", "Content-Type": "application/vnd.api+json"}

    def link() -> float:
        event = next(events)
        linkage = {"event": {"data": {"type": "event", "id": str(event)}}}
        code = {"stripe-auth-code": f"ac_bench{event}"}
        body = {"type": "stripe-authorization", "attributes": code, "relationships": linkage}
        path = f"{service.url}/v1/stripe-authorizations"
        return timed(lambda: http.post(path, json={"data": body}, headers=headers, timeout=30))

    connection = psycopg2.connect(world.url)
    connection.cursor().execute("CREATE TABLE bare (id serial PRIMARY KEY)")
    connection.commit()

    def bare() -> float:
        def work() -> requests.Response:
            answer = requests.post(
                f"{stripe.url}/oauth/token", data={"code": "ac_bench_bare"}, timeout=30
            )
            for _ in range(2):
                connection.cursor().execute("INSERT INTO bare DEFAULT VALUES")
                connection.commit()
            return answer

        return timed(work)

    pairs = [(link(), bare()) for _ in range(LINKED)][5:]
    connection.close()
    ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    name = "link at a Stripe of 0 ms, its time over that of a bare POST and two commits"
    return f"| {name} | {ours / theirs:.2f} | – | p50 {ours * 1000:.1f}, {theirs * 1000:.1f} ms |"


def timed(work: Callable[[], requests.Response]) -> float:
    """Return the seconds that *work* took. Raises if its answer was an error."""
    started = time.perf_counter()
    work().raise_for_status()
    return time.perf_counter() - started


def in_turns(
    one: Callable[[], float], other: Callable[[], float]
) -> tuple[list[float], tuple[float, float]]:
    """Measure A B A B …; return the ratio of each turn, and the medians."""
    pairs = [(one(), other()) for _ in range(TURNS)]
    first, second = zip(*pairs, strict=True)
    return [a / b for a, b in pairs], (statistics.median(first), statistics.median(second))


def row(name: str, ratios: list[float], text: str) -> str:
    """Return a row of the table: the median of *ratios* and their spread."""
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return f"| {name} | {statistics.median(ratios):.2f} | {spread} | {text} |"


def describe(rows: list[str], memory: float) -> str:
    """Return docs/performance.md."""
    load = os.getloadavg()[0]
    return PAGE_TEXT.format(
        turns=TURNS,
        seconds=SECONDS,
        cores=os.cpu_count(),
        python=platform.python_version(),
        links=LINKS,
        load=load,
        rows="\n".join(rows),
        memory=memory,
    )


if __name__ == "__main__":
    main()
