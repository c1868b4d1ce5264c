"""Links: one by one with a Stripe that answers at once, and five hundred with a slow one."""

import http.client
import json
import os
import time
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Any

from flask import Flask

from app import create_app
from app.extensions import db
from app.http.connection import SILENCE
from benchmarks.bare import Bare
from benchmarks.load import JSON_API, Reads, read_beside, result_of, start_loader
from benchmarks.results import Result, compared
from benchmarks.servers import Addressed, Measured, TokenEndpoint
from benchmarks.world import World
from config import load_config
from tests.processes import environment

LINKS = "/v1/stripe-authorizations"
AT_ONCE, WARM_UP, ONE_BY_ONE = 500, 25, 150
SILENT = 1000
FORM = {"client_secret": "sk_test_x", "grant_type": "authorization_code", "code": "ac_1"}


def measure_processor(
    stripe: TokenEndpoint, world: World, events: Iterator[int]
) -> Iterator[Result]:
    """
    Measure what links cost the thread that serves them, in this process and without a server.

    In turns with what is bare, because processors differ.
    """
    config = load_config(environment({"DATABASE_URL": world.url, **stripe.environment}))
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # for the lines of the log
        pairs = _processor_times(create_app(config), stripe, world, events)
    yield Result(
        "processor time of a link", [link for link, _ in pairs], 5.5, 4.0, unit="ms", digits=1,
        detail=f"{ONE_BY_ONE} links one by one",
    )  # fmt: skip
    what = "the same over that of one bare requests.post + two bare commits"
    yield compared(what, pairs, 5.5, 4.0, names=("link", "bare"), unit="ms")


def _processor_times(
    app: Flask, stripe: TokenEndpoint, world: World, events: Iterator[int]
) -> list[tuple[float, float]]:
    app.extensions["refreshes"].hold()
    client = app.test_client()
    bare = Bare(f"{stripe.url}/oauth/token", FORM, world.url)

    def once(event: int) -> tuple[float, float]:
        body, headers = _body(event), _headers(world)
        started = time.thread_time()
        answer = client.post(LINKS, data=body, headers=headers)
        took = time.thread_time() - started
        if answer.status_code != 201:
            raise RuntimeError(answer.text)
        return 1000 * took, 1000 * bare.once()[1]

    milliseconds = [once(next(events)) for _ in range(WARM_UP + ONE_BY_ONE)][WARM_UP:]
    with app.app_context():
        db.engine.dispose()
    return milliseconds


def measure_link(service: Measured, world: World, events: Iterator[int]) -> Result:
    """Measure links with a Stripe that answers at once, one after the other."""
    linking = Linking(service, world)
    took = [1000 * linking.once(next(events)) for _ in range(WARM_UP + ONE_BY_ONE)][WARM_UP:]
    return Result("link with a Stripe of 0 ms", took, None, 15, unit="ms", digits=1)


class Linking:
    """Links events one after the other over one connection, as an organizer's browser does."""

    def __init__(self, service: Measured, world: World) -> None:
        self._connection = http.client.HTTPConnection(*service.address, timeout=30)
        self._headers = _headers(world)

    def once(self, event: int) -> float:
        """Link *event*; return how long it took. Raises RuntimeError if it was refused."""
        started = time.perf_counter()
        self._connection.request("POST", LINKS, _body(event), headers=self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        took = time.perf_counter() - started
        if response.status != 201:
            raise RuntimeError(answer.decode())
        return took


@dataclass(frozen=True)
class Rush:
    """How many were linked, in how many seconds, and how reads went meanwhile."""

    linked: int
    all_took: float
    reads: Reads

    @property
    def told(self) -> str:
        """In words."""
        return f"{self.reads.told}; {self.linked} linked in {self.all_took:.1f} s"


def rush(service: Measured, world: World, events: Iterator[int], seconds: float) -> Rush:
    """Link five hundred events within *seconds*, and read meanwhile; both from outside."""
    links, reads = read_beside(
        service, lambda: send_links(service, world, events, AT_ONCE, seconds)
    )
    return Rush(links["statuses"].count(201), links["all_took"], reads)


def send_links(
    server: Addressed, world: World, events: Iterator[int], count: int, seconds: float = 0
) -> dict[str, Any]:
    """Link *count* events within *seconds*; return their statuses, and how long all took."""
    return result_of(
        start_loader(
            {
                "kind": "posts",
                "address": server.address,
                "path": LINKS,
                "headers": _headers(world),
                "seconds": seconds,
                "bodies": [_body(next(events)) for _ in range(count)],
            }
        )
    )


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
            [ramped.all_took if ramped.linked == AT_ONCE else float("inf")],
            16, 14, unit="s", detail=f"{ramped.linked} linked",
        ),
        Result("reads meanwhile: p99", [ramped.reads.p99], 100, 30, unit="ms", detail=ramped.told),
        Result(
            "the same 500 at one instant: p99 of reads",
            [at_once.reads.p99], 500, 100, unit="ms", detail=at_once.told,
        ),
    ]  # fmt: skip


def measure_beside_silent(service: Measured) -> Result:
    """Measure reads while a thousand clients per process have sent half a request, no more."""
    silent = start_loader(
        {
            "kind": "silence",
            "address": service.address,
            "count": SILENT * len(service.workers),
            "half": f"POST {LINKS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{{",
        }
    )
    assert silent.stdout is not None
    silent.stdout.readline()  # all of them are connected
    _, reads = read_beside(service, lambda: time.sleep(SILENCE / 2))
    held = result_of(silent)["open"]
    return Result(
        f"reads beside {SILENT} silent clients per process: p99",
        [reads.p99], 1000, 100, unit="ms",
        detail=f"{reads.told}; {held} connections held to the end",
    )  # fmt: skip


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
