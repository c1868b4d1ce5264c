"""Turns: a burst leaves the processor to whoever reads, and a slow Stripe keeps no turn."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from app import turns
from app.turns import AT_ONCE
from tests.callers import link_document

LINKS = "/v1/stripe-authorizations"
LONG = 30  # seconds after which it will not happen any more


@contextmanager
def in_threads(count, work):
    """Have *count* threads do *work*(ready) until the block ends; it begins when all are ready."""
    over, ready = threading.Event(), threading.Barrier(count + 1)

    def until_over():
        with work():
            ready.wait(LONG)
            over.wait(LONG)

    with ThreadPoolExecutor(count) as pool, ExitStack() as stack:
        stack.callback(over.set)
        for _ in range(count):
            pool.submit(until_over)
        ready.wait(LONG)
        yield


@contextmanager
def turn():
    turns.take()
    try:
        yield
    finally:
        turns.give_back()


@contextmanager
def paused_turn():
    with turn(), turns.paused():
        yield


@pytest.fixture(name="link")
def _link(organizer, event, platform, stripe):
    """Links the event, in whichever thread it is called, and returns the status."""
    body = link_document(event, stripe.code())
    return lambda: organizer.post(LINKS, body).status_code


def test_a_link_waits_for_a_turn_and_a_read_does_not(organizer, event, link, monkeypatch):
    monkeypatch.setattr(turns, "LONGEST", LONG)
    with ThreadPoolExecutor(1) as pool:
        with in_threads(AT_ONCE, turn):
            linking = pool.submit(link)
            read = organizer.get(f"/v1/events/{event.id}")
            with pytest.raises(TimeoutError):
                linking.result(timeout=0.5)

        assert read.status_code == 200
        assert linking.result(LONG) == 201


def test_who_has_waited_long_goes_on_without_a_turn(link, monkeypatch):
    monkeypatch.setattr(turns, "LONGEST", 0.1)
    with ThreadPoolExecutor(1) as pool, in_threads(AT_ONCE, turn):
        linking = pool.submit(link)

        assert linking.result(LONG) == 201


def test_a_stranger_is_refused_without_a_turn(client, platform, monkeypatch):
    monkeypatch.setattr(turns, "LONGEST", LONG)
    with ThreadPoolExecutor(1) as pool, in_threads(AT_ONCE, turn):
        refused = pool.submit(lambda: client.post(LINKS, b"{}").status_code)

        assert refused.result(LONG / 2) == 401


def test_a_turn_that_is_paused_is_somebody_elses(link, monkeypatch):
    monkeypatch.setattr(turns, "LONGEST", LONG)
    with ThreadPoolExecutor(1) as pool, in_threads(AT_ONCE, paused_turn):
        linking = pool.submit(link)

        assert linking.result(LONG) == 201


def test_more_links_than_there_are_turns_wait_for_a_slow_stripe(
    organizer, make, owner, platform, stripe, monkeypatch
):
    monkeypatch.setattr(turns, "LONGEST", 2 * LONG)
    bodies = [link_document(make.event(owner), stripe.code()) for _ in range(2 * AT_ONCE)]
    stripe.fault("slow", on="token", seconds=60)

    with ThreadPoolExecutor(len(bodies)) as pool:
        linking = [pool.submit(organizer.post, LINKS, body) for body in bodies]
        seen = wait_for(lambda: len(stripe.codes_seen()) == len(bodies))
        answered = [each.done() for each in linking]
        stripe.fault(None)

        assert seen
        assert not any(answered)
        assert [each.result(LONG).status_code for each in linking] == [201] * len(bodies)


def wait_for(condition):
    """Whether *condition* comes true before long."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.05) for _ in range(LONG * 20))


@pytest.mark.parametrize("body", [b"{", b"{}", None])
def test_whoever_is_refused_gives_the_turn_back(organizer, body, monkeypatch):
    monkeypatch.setattr(turns, "LONGEST", 1)
    ready = threading.Barrier(AT_ONCE + 1)

    def be_refused(_number):
        ready.wait(LONG)
        return organizer.post(LINKS, body).status_code

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        refused = list(pool.map(be_refused, range(AT_ONCE + 1)))
        is_free = turns.take()
        turns.give_back()

    assert all(400 <= status < 500 for status in refused)
    assert is_free
