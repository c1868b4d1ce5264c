"""Reads: the service's against the floor's, and with a million links against a thousand."""

from typing import Any

import requests

from benchmarks.load import requests_per_second
from benchmarks.results import Result, compared
from benchmarks.servers import Floor, Measured
from benchmarks.world import World

AUTHORIZATION = ("/v1/stripe-authorizations/%d", True)
EVENTS_AUTHORIZATION = ("/v1/events/%d/stripe-authorization", False)
SETTINGS = ("/v1/settings?public=true&cache=true", False)
PAGE = ("/v1/stripe-authorizations?page%%5Bsize%%5D=100", True)
HOT = {
    "GET authorization (organizer's token): requests/s over the floor's": AUTHORIZATION,
    "event's authorization (anonymous): requests/s over the floor's": EVENTS_AUTHORIZATION,
    "public settings: requests/s over the floor's": SETTINGS,
}
OF_GTHREAD = {"Server", "Connection"}  # headers that gunicorn's own worker adds
Target = tuple[str, bool]


def compare_reads(service: Measured, floor: Floor, world: World, rounds: int) -> list[Result]:
    """Measure the three hot GETs and the list."""
    results = []
    for what, target in HOT.items():
        pairs = _in_turns((service, world), (floor, world), target, rounds)
        results.append(compared(what, pairs, 0.6, 0.75, unit="requests/s", more_is_better=True))
    pairs = _in_turns((service, world), (floor, world), PAGE, rounds, connections=1)
    milliseconds = [(1000 / ours, 1000 / theirs) for ours, theirs in pairs]
    what = "list of 100 authorizations: service time over floor time"
    return [*results, compared(what, milliseconds, 2.0, 1.5, unit="ms")]


def compare_sizes(small: World, large: World, rounds: int) -> list[Result]:
    """
    Measure the same reads on a large database and on a small one, a service at each.

    Over one connection: what is compared is how long a read takes, not how the kernel happened to
    share connections between the processes.
    """
    with Measured(small.url) as at_small, Measured(large.url) as at_large:
        results = []
        for name, target in (
            ("authorization", AUTHORIZATION),
            ("event's authorization", EVENTS_AUTHORIZATION),
            ("list of 100", PAGE),
        ):
            pairs = _in_turns((at_large, large), (at_small, small), target, rounds, 1, 2)
            results.append(
                compared(
                    f"{name}: reads/s with {large.links} links over those with {small.links}",
                    pairs,
                    0.9,
                    0.98,
                    names=("many", "few"),
                    unit="requests/s",
                    more_is_better=True,
                )
            )
    return results


def check_same(service: Measured, floor: Floor, world: World) -> None:
    """Raise RuntimeError unless both answer every read in the same words."""
    for path, signed_in in (AUTHORIZATION, EVENTS_AUTHORIZATION, SETTINGS, PAGE):
        address = path % world.first_own if "%d" in path else path.replace("%%", "%")
        headers = {"Authorization": f"JWT {world.token}"} if signed_in else {}
        ours, theirs = (
            requests.get(f"{server.url}{address}", headers=headers, timeout=10)
            for server in (service, floor)
        )
        if ours.json() != theirs.json() or len(ours.content) != len(theirs.content):
            bodies = f"…{ours.text[-400:]}\n…{theirs.text[-400:]}"
            raise RuntimeError(f"{address}: not the same body:\n{bodies}")
        if set(ours.headers) != set(theirs.headers) - OF_GTHREAD:
            raise RuntimeError(f"{address}: not the same headers")


def _in_turns(
    ours: tuple[Measured, World],
    theirs: tuple[Measured, World],
    target: Target,
    rounds: int,
    connections: int = 16,
    seconds: int = 1,
) -> list[tuple[float, float]]:
    """Return the requests/s of both, A B A B …, after a second each to warm up."""
    path, signed_in = target
    for server, world in (ours, theirs):
        requests_per_second(server, world, path, signed_in=signed_in, seconds=1)
    how: Any = {"signed_in": signed_in, "seconds": seconds, "connections": connections}
    return [
        (
            requests_per_second(*ours, path, **how),
            requests_per_second(*theirs, path, **how),
        )
        for _ in range(rounds)
    ]
