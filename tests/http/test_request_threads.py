"""The threads that answer requests: one that was busy works again, the others end."""

import threading

import pytest

from app.http import request_threads
from app.http.request_threads import KEPT, RequestThreads
from tests.http.serving import LONG
from tests.simultaneous import until


class Work:
    """A task that says which thread did it, and waits until it may end."""

    def __init__(self, *, waits=False):
        self.begun, self.may_end, self.is_done = (threading.Event() for _ in range(3))
        self.thread = None
        if not waits:
            self.may_end.set()

    def service(self):
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.may_end.wait(LONG)
        self.is_done.set()


@pytest.fixture(name="threads")
def _threads():
    threads = RequestThreads(50)
    yield threads
    threads.stop()


def burst(threads, count):
    """Do *count* tasks at once; return the threads that did them."""
    tasks = [Work(waits=True) for _ in range(count)]
    for task in tasks:
        threads.add_task(task)
    assert all(task.begun.wait(LONG) for task in tasks)
    for task in tasks:
        task.may_end.set()
    return [task.thread for task in tasks]


def do(threads):
    """Do one task; return its thread."""
    task = Work()
    threads.add_task(task)
    assert task.is_done.wait(LONG)
    return task.thread


def test_a_burst_has_a_thread_for_each_task_within_the_bound(threads):
    assert len(set(burst(threads, 50))) == 50


def test_what_is_more_than_the_bound_waits_for_a_thread(threads):
    tasks = [Work(waits=True) for _ in range(51)]
    for task in tasks:
        threads.add_task(task)
    assert all(task.begun.wait(LONG) for task in tasks[:50])
    assert tasks[50].thread is None

    tasks[0].may_end.set()
    assert tasks[50].begun.wait(LONG)
    for task in tasks:
        task.may_end.set()


def test_threads_that_a_burst_has_left_behind_end(monkeypatch, threads):
    monkeypatch.setattr(request_threads, "IDLE", 0.05)
    busy = burst(threads, 30)

    until(lambda: sum(thread.is_alive() for thread in busy) <= KEPT)

    assert do(threads).is_alive()


def test_threads_of_a_burst_end_although_work_keeps_coming(monkeypatch, threads):
    monkeypatch.setattr(request_threads, "IDLE", 0.05)
    busy = burst(threads, 30)

    def are_few():
        for _ in range(100):
            do(threads)
        return sum(thread.is_alive() for thread in busy) <= KEPT

    until(are_few)


def test_no_task_is_lost_at_the_moment_a_thread_leaves(monkeypatch, threads):
    monkeypatch.setattr(request_threads, "IDLE", 0.001)
    monkeypatch.setattr(request_threads, "KEPT", 1)

    for _ in range(500):
        do(threads)


def test_threads_that_have_nothing_to_do_end_with_the_process():
    threads = RequestThreads(4)
    busy = burst(threads, 4)

    threads.stop()

    for thread in busy:
        thread.join(LONG)
    assert not any(thread.is_alive() for thread in busy)
