"""Payments by a program's token: against what they cannot do without, and reads beside them."""

import itertools
import json
import time
from collections.abc import Iterator

import requests

from benchmarks.bare import Bare
from benchmarks.load import JSON_API, read_beside, result_of, start_loader
from benchmarks.results import Result, compared
from benchmarks.servers import Measured, TokenEndpoint
from benchmarks.world import World

PATH = "/v1/payment-intents"
PAIRS, WARM_UP = 100, 20
BESIDE, WITHIN = 200, 4  # payments, seconds
DELAY = 0.3  # seconds that Stripe takes meanwhile
FORM = {"amount": "1999", "currency": "eur", "automatic_payment_methods[enabled]": "true"}


def measure_payments(service: Measured, stripe: TokenEndpoint, world: World) -> list[Result]:
    """Measure payments one by one, in turns with what is bare, and then reads beside many."""
    bodies = _bodies(world)
    return [_compare(service, stripe, world, bodies), _read_beside(service, stripe, world, bodies)]


def _compare(
    service: Measured, stripe: TokenEndpoint, world: World, bodies: Iterator[str]
) -> Result:
    bare = Bare(f"{stripe.url}/v1/payment_intents", FORM, world.url)
    session, pairs = requests.Session(), []
    for _ in range(WARM_UP + PAIRS):
        started = time.perf_counter()
        answer = session.post(
            f"{service.url}{PATH}", data=next(bodies), headers=_headers(world), timeout=30
        )
        pairs.append((1000 * (time.perf_counter() - started), 1000 * bare.once()[0]))
        if answer.status_code != 201:
            raise RuntimeError(answer.text)
    what = "a payment: its time over (one bare requests.post + two bare commits)"
    return compared(what, pairs[WARM_UP:], 4.0, 3.0, names=("payment", "bare"), unit="ms")


def _read_beside(
    service: Measured, stripe: TokenEndpoint, world: World, bodies: Iterator[str]
) -> Result:
    stripe.delay(DELAY)
    task = {
        "kind": "posts",
        "address": service.address,
        "path": PATH,
        "headers": _headers(world),
        "seconds": WITHIN,
        "bodies": list(itertools.islice(bodies, BESIDE)),
    }
    paid, reads = read_beside(service, lambda: result_of(start_loader(task)))
    stripe.delay(0)
    return Result(
        f"{BESIDE} payments within {WITHIN} s: p99 of reads meanwhile",
        [reads.p99], 100, 30, unit="ms",
        detail=f"{reads.told}; {paid['statuses'].count(201)} paid",
    )  # fmt: skip


def _headers(world: World) -> dict[str, str]:
    return {
        "Content-Type": JSON_API,
        "Accept": JSON_API,
        "Authorization": f"Bearer {world.service_token}",
    }


def _bodies(world: World) -> Iterator[str]:
    """Return documents without end, each for another payment of a linked event."""
    run = time.time_ns()
    for number in itertools.count():
        event = {"type": "event", "id": str(1 + number % world.links)}
        attributes = {"amount": 1999, "idempotency-key": f"order-{run}-{number}"}
        document = {
            "type": "payment-intent",
            "attributes": attributes,
            "relationships": {"event": {"data": event}},
        }
        yield json.dumps({"data": document})
