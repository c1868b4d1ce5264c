"""A server that stops, or reloads its code, finishes the links in flight."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.simultaneous import until
from tests.torture.world import World, ask, tally

IN_FLIGHT = 20


@pytest.fixture(name="world")
def _world():
    with World(instances=1, processes=2, stripe_timeout=30) as world:
        yield world


def is_served(url):
    """Whether a new connection gets an answer; a stopping worker may leave it in the queue."""
    return ask(url, "GET", "/health/live", timeout=1).status != 0


def test_links_in_flight_are_finished_and_new_connections_refused(world, figure):
    (service,) = world.services
    wishes = list(zip(world.events(IN_FLIGHT), world.codes(count=IN_FLIGHT), strict=True))
    world.stripe.control("faults", {"fault": "slow", "on": "token", "seconds": 60})

    with ThreadPoolExecutor(1) as pool:
        linking = pool.submit(world.link_at_once, wishes)
        until(lambda: len(world.codes_seen()) == IN_FLIGHT)
        told = time.monotonic()
        service.process.terminate()
        until(lambda: not is_served(service.url))
        refused = time.monotonic() - told
        assert not is_served(service.url)
        world.stripe.control("faults", {"fault": None})
        answers = linking.result()
    until(lambda: not service.running)

    figure(f"new connections refused after {refused:.2f} s, {dict(tally(answers))}")
    assert dict(tally(answers)) == {201: IN_FLIGHT}
    assert service.stop() == 0
    assert world.codes_twice() == []


def test_links_in_flight_are_finished_by_the_processes_that_a_reload_replaces(world, figure):
    (service,) = world.services
    replaced = set(service.workers)
    wishes = list(zip(world.events(IN_FLIGHT), world.codes(count=IN_FLIGHT), strict=True))
    world.stripe.control("faults", {"fault": "slow", "on": "token", "seconds": 60})

    with ThreadPoolExecutor(1) as pool:
        linking = pool.submit(world.link_at_once, wishes)
        until(lambda: len(world.codes_seen()) == IN_FLIGHT)
        service.process.send_signal(signal.SIGHUP)
        until(lambda: len(set(service.workers) - replaced) == 2 and is_served(service.url))
        world.stripe.control("faults", {"fault": None})
        answers = linking.result()
    until(lambda: replaced.isdisjoint(service.workers))

    figure(f"{dict(tally(answers))}, {len(service.workers)} processes replaced")
    assert dict(tally(answers)) == {201: IN_FLIGHT}
    assert is_served(service.url)
    assert world.codes_twice() == []
