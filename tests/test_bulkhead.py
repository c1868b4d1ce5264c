"""A bulkhead admits so many and no more."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.security.bulkhead import Bulkhead, BulkheadFull


def test_as_many_as_agreed_are_admitted_and_no_more():
    bulkhead = Bulkhead(2)

    assert [bulkhead.acquire() for _ in range(3)] == [True, True, False]


def test_a_place_that_is_given_back_is_free_again():
    bulkhead = Bulkhead(1)
    for _ in range(3):
        with bulkhead.admitted():
            assert not bulkhead.acquire()

    assert bulkhead.acquire()


def test_a_place_is_given_back_whatever_happens_in_the_block():
    bulkhead = Bulkhead(1)
    with pytest.raises(ZeroDivisionError), bulkhead.admitted():
        raise ZeroDivisionError

    assert bulkhead.acquire()


def test_a_full_bulkhead_without_patience_refuses_at_once():
    bulkhead = Bulkhead(1)
    start = time.monotonic()
    with bulkhead.admitted(), pytest.raises(BulkheadFull), bulkhead.admitted():
        pass

    assert time.monotonic() - start < 0.5


def test_a_full_bulkhead_waits_as_long_as_it_has_patience():
    bulkhead = Bulkhead(1, patience=0.2)
    with bulkhead.admitted():
        start = time.monotonic()

        assert not bulkhead.acquire()
        assert time.monotonic() - start >= 0.2


def test_whoever_waits_is_admitted_when_a_place_becomes_free():
    bulkhead = Bulkhead(1, patience=30)
    bulkhead.acquire()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(bulkhead.acquire)
        bulkhead.release()

        assert waiting.result(10)


def test_of_many_threads_never_more_than_agreed_are_inside():
    bulkhead, lock, inside, most = Bulkhead(3, patience=30), threading.Lock(), set(), []

    def work(number):
        with bulkhead.admitted():
            with lock:
                inside.add(number)
                most.append(len(inside))
            with lock:
                inside.remove(number)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(work, range(300)))

    assert len(most) == 300
    assert max(most) <= 3


def test_a_place_that_nobody_took_cannot_be_given_back():
    with pytest.raises(ValueError, match="released too many"):
        Bulkhead(1).release()
