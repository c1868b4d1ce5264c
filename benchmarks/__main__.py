"""
`make bench`: how fast the service is against a bare Flask view, in one run of under six minutes.

Everything runs on this machine over loopback: a PostgreSQL of its own that syncs every commit, the
service and the floor under gunicorn as shipped, wrk, and a Stripe that grants everything.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks import (
    console,
    counting,
    links,
    payments,
    reads,
    report,
    scaling,
    starting,
)
from benchmarks.results import Result, table
from benchmarks.servers import Floor, Measured, TokenEndpoint
from benchmarks.world import DATABASE, World, fill
from tests.live import migrate
from tests.postgres import PostgresServer

PARTS = (
    "reads", "console", "link", "payments", "rush", "memory", "metrics", "start", "sizes",
)  # fmt: skip
RUNNING = {"reads", "console", "link", "payments", "rush", "memory"}
FEW, MANY, TO_LINK = 1_000, 1_000_000, 2_500


def main() -> None:
    """Measure what was asked for, print it, and write the page after a whole run."""
    options = _options()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not on this machine; `make bench` installs it.")
    if options.scaling:
        scaling.main()
        return
    started = time.monotonic()
    results: list[Result] = []
    with PostgresServer(fsync=True, settings=DATABASE) as server:
        server.make_template("migrated", build=migrate)
        small = fill(server.create_database(template="migrated"), links=FEW, unlinked=TO_LINK)
        for result in measure(server, small, options.only, options.rounds):
            print(table([result]).splitlines()[-1], flush=True)
            results.append(result)
        version = server.version
    took = time.monotonic() - started
    print(f"\n{table(results)}\n\n{took:.0f} s")
    if set(options.only) == set(PARTS):
        report.write(table(results).splitlines(), "make bench", took, version)


def measure(
    server: PostgresServer, small: World, parts: list[str], rounds: int
) -> Iterator[Result]:
    """Measure *parts*; the service that was linked with is weighed at its end."""
    with ExitStack() as stack:
        if RUNNING & set(parts):
            yield from _measure_running(stack, small, parts, rounds)
    if "metrics" in parts:
        yield from counting.measure_metrics(small)
    if "start" in parts:
        yield starting.compare_start(small, max(3, rounds // 2))
    if "sizes" in parts:
        large = fill(server.create_database(template="migrated"), links=MANY)
        yield from reads.compare_sizes(small, large, max(4, rounds - 2))


def _measure_running(
    stack: ExitStack, small: World, parts: list[str], rounds: int
) -> Iterator[Result]:
    stripe = stack.enter_context(TokenEndpoint())
    service = stack.enter_context(Measured(small.url, stripe))
    events = small.unlinked()
    if "reads" in parts:
        with Floor(small.url) as floor:
            reads.check_same(service, floor, small)
            yield from reads.compare_reads(service, floor, small, rounds)
    if "console" in parts:
        yield from console.measure_page(service, small, rounds)
    if "link" in parts:
        yield links.measure_link(service, small, events)
        yield from links.measure_processor(stripe, small, events)
    if "payments" in parts:
        yield from payments.measure_payments(service, stripe, small)
    if "rush" in parts:
        yield from links.measure_rushes(service, stripe, small, events)
        yield links.measure_beside_silent(service)
    yield starting.weigh(service)
    if "memory" in parts:
        yield starting.measure_growth(service, small)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="some parts (no page written)"
    )
    parser.add_argument(
        "--scaling", action="store_true", help="measure two instances, and write docs/scaling.md"
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns A B of each comparison")
    return parser.parse_args()


if __name__ == "__main__":
    main()
