"""Small work that nobody waits for: one thread per process, started when it is first needed."""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from flask import Flask

from app.security.logs import log

MOST_WAITING = 500
QUIET, LONGEST = 0.2, 2.0  # seconds without new work before any is done, and at most


class Background:
    """
    Does what is given to it, one after the other, each in a context of *app* of its own.

    Not at once: work comes in bursts with requests that somebody waits for, and those go first.
    What fails is logged and forgotten, and so is what does not fit any more: this is for work that
    can be lost, since somebody will ask for it again. The thread ends with the process, and a
    forked child starts its own.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._is_held = False
        self.start_over()
        os.register_at_fork(after_in_child=self.start_over)

    def start_over(self) -> None:
        """Forget what waits: in a forked child the thread that would do it is not there."""
        self._changed = threading.Condition()
        self._waiting: OrderedDict[Hashable, Callable[[], object]] = OrderedDict()
        self._thread: threading.Thread | None = None

    def submit(self, key: Hashable, work: Callable[[], object]) -> None:
        """Have *work* done soon, unless the same *key* waits already. Returns at once."""
        with self._changed:
            if key in self._waiting or len(self._waiting) >= MOST_WAITING:
                return
            self._waiting[key] = work
            if self._thread is None and not self._is_held:
                self._thread = threading.Thread(target=self._work, name="background", daemon=True)
                self._thread.start()
            self._changed.notify()

    def hold(self) -> None:
        """From now on let work wait until it is drained: for tests, which say when it is done."""
        self._is_held = True

    def drain(self) -> int:
        """Do all that waits, here and now, in this thread; return how much that was."""
        done = 0
        while (work := self._next()) is not None:
            self._do(work)
            done += 1
        return done

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            return self._waiting.popitem(last=False)[1] if self._waiting else None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                self._let_burst_pass()
            self.drain()

    def _let_burst_pass(self) -> None:
        latest = time.monotonic() + LONGEST
        while self._changed.wait(QUIET) and time.monotonic() < latest:
            pass

    def _do(self, work: Callable[[], object]) -> None:
        with self._app.app_context():
            try:
                work()
            except Exception:  # because the next piece of work is not to suffer from it
                log.error("background work failed", exc_info=True)
