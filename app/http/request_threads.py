"""The threads that answer requests: as many as there is work for, within a bound."""

import ctypes
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import Protocol

from app.security.logs import log

KEPT = 8  # threads that wait for work however long there is none
IDLE = 5.0  # seconds after which every other one ends


class Task(Protocol):
    """A connection with a request to answer."""

    def service(self) -> None:
        """Answer it."""


class RequestThreads:
    """
    Runs tasks in at most *most* threads, started when they are needed.

    The thread that was busy last has the next task: what a burst has left behind finds nothing to
    do, ends, and returns its memory. Where the system refuses another thread, a task waits for one
    of those that are there: the first is started at once, or RuntimeError is raised.
    """

    def __init__(self, most: int) -> None:
        self._most, self._started, self._is_over = most, 0, False
        self._waiting: deque[Task] = deque()
        self._idle: list[SimpleQueue[Task | None]] = []  # each thread's own, the last to rest last
        self._lock = threading.Lock()
        self._start()

    def add_task(self, task: Task) -> None:
        """Have *task* done by an idle thread, a new one, or the next that is free."""
        with self._lock:
            if self._idle:
                self._idle.pop().put(task)
                return
            self._waiting.append(task)
            if self._started < self._most:
                self._try_to_start()

    def stop(self) -> None:
        """End every thread that has nothing to do; the others end with the process."""
        with self._lock:
            self._is_over = True
            while self._idle:
                self._idle.pop().put(None)

    def _try_to_start(self) -> None:
        try:
            self._start()
        except RuntimeError:
            log.warning("no further thread can be started", threads=self._started)

    def _start(self) -> None:
        threading.Thread(target=self._work, name="request", daemon=True).start()
        self._started += 1

    def _work(self) -> None:
        given: SimpleQueue[Task | None] = SimpleQueue()
        while (task := self._next(given)) is not None:
            try:
                task.service()
            except Exception:  # because the thread is needed for the next task
                log.error("a request's thread failed", exc_info=True)

    def _next(self, given: "SimpleQueue[Task | None]") -> Task | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if self._is_over:
                return None
            self._idle.append(given)
        while True:
            try:
                return given.get(timeout=IDLE)
            except Empty:
                if self._leave(given):
                    return None

    def _leave(self, given: "SimpleQueue[Task | None]") -> bool:
        """Count the thread out, unless it is one to keep, or was given a task at this moment."""
        with self._lock:
            if self._started <= KEPT or given not in self._idle:
                return False
            self._idle.remove(given)
            self._started -= 1
            is_last = self._started == KEPT
        if is_last:
            _return_memory()
        return True


def _return_memory() -> None:
    """Have glibc return what it keeps of what was freed; other libraries have no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
