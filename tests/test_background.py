"""Background work: after the burst of requests that it comes with, and some time in any case."""

import itertools
import threading

import pytest

from app import background
from app.background import Background

LONG = 30  # seconds after which it will not happen any more


@pytest.fixture(name="work")
def _work(app):
    return Background(app)


def test_work_waits_until_no_more_comes_with_it(work, monkeypatch):
    monkeypatch.setattr(background, "QUIET", 1.5)
    monkeypatch.setattr(background, "LONGEST", LONG)
    done = threading.Event()

    work.submit("first", done.set)

    assert not done.wait(0.5)
    assert done.wait(LONG)


def test_work_that_goes_on_coming_is_done_all_the_same(work, monkeypatch):
    monkeypatch.setattr(background, "QUIET", LONG)
    monkeypatch.setattr(background, "LONGEST", 0.5)
    done = threading.Event()

    for key in itertools.takewhile(lambda _: not done.wait(0.05), range(LONG * 10)):
        work.submit(key, done.set)

    assert done.is_set()
