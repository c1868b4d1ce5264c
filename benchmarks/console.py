"""The console's page of an event: its time over that of what it shows, and its bytes."""

import re
import time
from statistics import median

import requests

from benchmarks.results import Result, compared
from benchmarks.servers import Measured
from benchmarks.world import World

PER_ROUND = 10
# What the page shows, as the API tells it.
READS = (
    "/v1/events/{0}",
    "/v1/events/{0}/stripe-authorization",
    "/v1/events/{0}/payment-intents",
    "/v1/events/{0}/stripe-link-attempts",
    "/v1/events/{0}/users-events-roles",
    "/v1/settings",
)
ASSET = re.compile(r'(?:href|src)="(/assets/[^"]+\.(?:css|js))"')


def measure_page(service: Measured, world: World, rounds: int) -> list[Result]:
    """Measure the page in turns with the reads of the API, and what a browser loads for it."""
    page = f"{service.url}/events/{world.first_own}"
    reads = [f"{service.url}{path.format(world.first_own)}" for path in READS]
    browser, program = requests.Session(), requests.Session()
    browser.headers.update({"Cookie": f"console_token={world.token}", "Accept-Encoding": "gzip"})
    program.headers["Authorization"] = f"JWT {world.token}"
    _took(browser, [page])
    _took(program, reads)
    pairs = [
        (
            median(_took(browser, [page]) for _ in range(PER_ROUND)),
            median(_took(program, reads) for _ in range(PER_ROUND)),
        )
        for _ in range(rounds)
    ]
    what = "console's page of an event: its time over that of its reads by the API"
    names = ("page", f"{len(reads)} reads")
    return [
        compared(what, pairs, 2.5, 1.5, names=names, unit="ms"),
        _weigh(browser, service, page),
    ]


def _took(client: requests.Session, addresses: list[str]) -> float:
    """Return how many milliseconds *addresses* take, one after the other."""
    started = time.perf_counter()
    for address in addresses:
        answer = client.get(address, timeout=30)
        if answer.status_code != 200:
            raise RuntimeError(f"{address}: {answer.status_code} {answer.text[:300]}")
    return 1000 * (time.perf_counter() - started)


def _weigh(browser: requests.Session, service: Measured, page: str) -> Result:
    """Say how many bytes the page and its own files have, as they are sent."""
    assets = ASSET.findall(browser.get(page, timeout=30).text)
    sent = [_bytes(browser, each) for each in (page, *(f"{service.url}{path}" for path in assets))]
    return Result(
        "console's page of an event with its styles and scripts",
        [sum(sent) / 1000],
        100,
        60,
        unit="KB",
        detail=f"page {sent[0] / 1000:.1f} KB, {len(assets)} files",
    )


def _bytes(browser: requests.Session, address: str) -> int:
    with browser.get(address, stream=True, timeout=30) as answer:
        answer.raise_for_status()
        return len(answer.raw.read(decode_content=False))
