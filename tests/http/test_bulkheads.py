"""A burst leaves the processor to readers, and a slow Stripe occupies no place."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from app.http.bulkheads import AT_ONCE, BurstBulkhead
from app.security.bulkhead import Bulkhead
from tests.callers import link_document

LINKS = "/v1/stripe-authorizations"
LONG = 30  # seconds after which it will not happen any more


@pytest.fixture(name="bursts")
def _bursts(app):
    """The application's bulkhead for bursts, with patience until the test's end."""
    bursts = app.extensions["bursts"]
    bursts.bulkhead = Bulkhead(AT_ONCE, 2 * LONG)
    return bursts


@contextmanager
def in_threads(count, work):
    """Have *count* threads hold *work*() until the block ends; it begins when all are ready."""
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
def paused_place(bursts):
    with bursts.admitted(), bursts.paused():
        yield


@pytest.fixture(name="link")
def _link(organizer, event, platform, stripe):
    """Links the event, in whichever thread it is called, and returns the status."""
    body = link_document(event, stripe.code())
    return lambda: organizer.post(LINKS, body).status_code


def test_a_link_waits_for_a_place_and_a_read_does_not(organizer, event, link, bursts):
    with ThreadPoolExecutor(1) as pool:
        with in_threads(AT_ONCE, bursts.admitted):
            linking = pool.submit(link)
            read = organizer.get(f"/v1/events/{event.id}")
            with pytest.raises(TimeoutError):
                linking.result(timeout=0.5)

        assert read.status_code == 200
        assert linking.result(LONG) == 201


def test_a_webhook_waits_for_a_place(client, platform, bursts):
    def deliver():
        return client.post("/stripe/webhooks", b"{}", Stripe_Signature="t=1,v1=0").status_code

    with ThreadPoolExecutor(1) as pool:
        with in_threads(AT_ONCE, bursts.admitted):
            delivering = pool.submit(deliver)
            with pytest.raises(TimeoutError):
                delivering.result(timeout=0.5)

        assert delivering.result(LONG) == 400


def test_a_request_that_has_waited_long_goes_on_without_a_place(link, bursts):
    bursts.bulkhead = Bulkhead(AT_ONCE, 0.1)
    with ThreadPoolExecutor(1) as pool, in_threads(AT_ONCE, bursts.admitted):
        assert pool.submit(link).result(LONG) == 201


def test_a_stranger_is_refused_without_a_place(client, platform, bursts):
    with ThreadPoolExecutor(1) as pool, in_threads(AT_ONCE, bursts.admitted):
        refused = pool.submit(lambda: client.post(LINKS, b"{}").status_code)

        assert refused.result(LONG / 2) == 401


def test_a_place_whose_holder_waits_is_free(link, bursts):
    with (
        ThreadPoolExecutor(1) as pool,
        in_threads(AT_ONCE, lambda: paused_place(bursts)),
    ):
        assert pool.submit(link).result(LONG) == 201


def test_more_links_than_there_are_places_wait_for_a_slow_stripe(
    organizer, make, owner, platform, stripe, bursts
):
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
def test_a_refused_request_releases_its_place(organizer, bursts, body):
    bursts.bulkhead = Bulkhead(AT_ONCE, 1)
    ready = threading.Barrier(AT_ONCE + 1)

    def be_refused(_number):
        ready.wait(LONG)
        return organizer.post(LINKS, body).status_code

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        refused = list(pool.map(be_refused, range(AT_ONCE + 1)))

    assert all(400 <= status < 500 for status in refused)
    assert [bursts.bulkhead.acquire() for _ in range(AT_ONCE)] == [True] * AT_ONCE


class TestPlaces:
    """The bulkhead by itself."""

    @pytest.fixture(name="bulkhead")
    def _bulkhead(self):
        return Bulkhead(1, 0)

    @pytest.fixture(name="places")
    def _places(self, bulkhead):
        return BurstBulkhead(bulkhead)

    def test_a_thread_takes_one_place_however_often_it_asks(self, bulkhead, places):
        assert [places.acquire(), places.acquire()] == [True, True]
        places.release()
        places.release()

        assert bulkhead.acquire()

    def test_a_place_is_returned_after_a_pause(self, bulkhead, places):
        with places.admitted():
            with places.paused():
                assert bulkhead.acquire()
                bulkhead.release()

            assert not bulkhead.acquire()

    def test_a_thread_without_a_place_gets_none_from_a_pause(self, bulkhead, places):
        with places.paused():
            pass

        assert bulkhead.acquire()
