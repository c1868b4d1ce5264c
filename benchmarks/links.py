"""Links: one by one with a Stripe that answers at once, and five hundred with a slow one."""

import http.client
import json
import time
from collections.abc import Iterator
from statistics import median, quantiles
from typing import Any

import psycopg2
import requests

from benchmarks.load import result_of, start_loader
from benchmarks.results import Result, compared
from benchmarks.servers import Measured, TokenEndpoint
from benchmarks.world import World

JSON_API = "application/vnd.api+json"
AT_ONCE, PER_ROUND = 500, 25
FORM = {"client_secret": "sk_test_x", "grant_type": "authorization_code"}


def compare_link(
    service: Measured, stripe: TokenEndpoint, world: World, events: Iterator[int], rounds: int
) -> Result:
    """Measure a link against one bare `requests.post` and two bare commits, in turns."""
    bare, linked = Bare(stripe, world.url), Linking(service, world)
    for event in (next(events) for _ in range(PER_ROUND)):
        linked.once(event)
        bare.once()
    milliseconds = [
        (
            1000 * median(linked.once(next(events)) for _ in range(PER_ROUND)),
            1000 * median(bare.once() for _ in range(PER_ROUND)),
        )
        for _ in range(rounds)
    ]
    what = "link with a Stripe of 0 ms: p50 over (one bare requests.post + two bare commits)"
    return compared(what, milliseconds, 2.0, 1.5, names=("link", "bare"), unit="ms")


class Bare:
    """What a link cannot do without: a call to Stripe and two commits, and nothing else."""

    def __init__(self, stripe: TokenEndpoint, database_url: str) -> None:
        self._url = f"{stripe.url}/oauth/token"
        self._connection = psycopg2.connect(database_url)
        self._commit("CREATE TABLE IF NOT EXISTS bare (id serial PRIMARY KEY, note text)")

    def once(self) -> float:
        """Do it; return how long it took."""
        started = time.perf_counter()
        self._commit("INSERT INTO bare (note) VALUES ('claimed')")
        requests.post(self._url, data={**FORM, "code": "ac_1"}, timeout=20).json()
        self._commit("INSERT INTO bare (note) VALUES ('kept')")
        return time.perf_counter() - started

    def _commit(self, statement: str) -> None:
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(statement)


class Linking:
    """Links events one after the other over one connection, as an organizer's browser does."""

    def __init__(self, service: Measured, world: World) -> None:
        self._connection = http.client.HTTPConnection(*service.address, timeout=30)
        self._headers = _headers(world)

    def once(self, event: int) -> float:
        """Link *event*; return how long it took. Raises RuntimeError if it was refused."""
        started = time.perf_counter()
        self._connection.request(
            "POST", "/v1/stripe-authorizations", _body(event), headers=self._headers
        )
        response = self._connection.getresponse()
        answer = response.read()
        took = time.perf_counter() - started
        if response.status != 201:
            raise RuntimeError(answer.decode())
        return took


def rush(service: Measured, world: World, events: Iterator[int], seconds: float) -> dict[str, Any]:
    """
    Link five hundred events within *seconds*, and read meanwhile; both from processes of their own.

    Returns the statuses, how long all took, and the quantiles of the reads, in milliseconds.
    """
    reads = start_loader(
        {
            "kind": "reads",
            "address": service.address,
            "paths": [f"/v1/events/{number}/stripe-authorization" for number in range(1, 900)],
            "headers": {"Accept": JSON_API},
            "rate": 50,
        }
    )
    links = result_of(
        start_loader(
            {
                "kind": "links",
                "address": service.address,
                "path": "/v1/stripe-authorizations",
                "headers": _headers(world),
                "seconds": seconds,
                "bodies": [_body(next(events)) for _ in range(AT_ONCE)],
            }
        )
    )
    reading = result_of(reads)
    took = quantiles((1000 * each for each in reading["took"]), n=100)
    return {
        "linked": links["statuses"].count(201),
        "all_took": links["all_took"],
        "read": reading["statuses"].count(200) == len(reading["statuses"]),
        "p50": took[49],
        "p99": took[98],
    }


def measure_rushes(
    service: Measured, stripe: TokenEndpoint, world: World, events: Iterator[int]
) -> list[Result]:
    """Measure both rushes at a Stripe that takes 8 s."""
    stripe.delay(8)
    ramped = rush(service, world, events, seconds=4)
    at_once = rush(service, world, events, seconds=0)
    stripe.delay(0)
    return [
        Result(
            "500 links ramped over 4 s at an 8 s Stripe: all linked",
            [ramped["all_took"] if ramped["linked"] == AT_ONCE else float("inf")],
            16, 14, unit="s", detail=f"{ramped['linked']} linked",
        ),
        Result("reads meanwhile: p99", [ramped["p99"]], 100, 30, unit="ms", detail=_told(ramped)),
        Result(
            "the same 500 at one instant: p99 of reads",
            [at_once["p99"]], None, 500, unit="ms", detail=_told(at_once),
        ),
    ]  # fmt: skip


def _told(rush: dict[str, Any]) -> str:
    failed = "" if rush["read"] else ", some reads FAILED"
    return f"p50 {rush['p50']:.0f} ms; {rush['linked']} linked in {rush['all_took']:.1f} s{failed}"


def _headers(world: World) -> dict[str, str]:
    return {
        "Content-Type": JSON_API,
        "Accept": JSON_API,
        "Authorization": f"JWT {world.linking_token}",
    }


def _body(event: int) -> str:
    return json.dumps(
        {
            "data": {
                "type": "stripe-authorization",
                "attributes": {"stripe-auth-code": f"ac_{event}"},
                "relationships": {"event": {"data": {"type": "event", "id": str(event)}}},
            }
        }
    )
