"""Schedules background refreshes of connected accounts."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

from app.clients.stripe import StripeConnect
from app.errors import StripeBusy
from app.security.logs import log
from app.services.accounts.status import ON_DEMAND, refresh

MOST_QUEUED = 500
DELAY = 1.0  # seconds; the requests of a burst go first


class CheckedLink(Protocol):
    """A link's account, and when it was last read at Stripe."""

    @property
    def stripe_user_id(self) -> str: ...
    @property
    def livemode(self) -> bool: ...
    @property
    def account_checked_at(self) -> datetime | None: ...


class RefreshScheduler:
    """
    Refreshes accounts one after the other, in a thread that ends when the queue is empty.

    Each refresh runs inside of *in_context*. A failure is logged and forgotten, and so is what does
    not fit into the queue: the next reader asks again. The thread is a daemon, since a process that
    stops waits for no refresh; an executor of `concurrent.futures` would finish its queue first.
    """

    def __init__(
        self, stripe: StripeConnect, in_context: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._stripe, self._in_context = stripe, in_context
        self._lock = threading.Lock()
        self._queue: dict[tuple[str, bool], None] = {}
        self._is_running = self._is_held = False

    def schedule(self, link: CheckedLink) -> None:
        """
        Have the account of *link* refreshed soon if what is known of it is a minute old.

        Returns at once and never raises. Whether it is due the database decides, by its own clock.
        """
        checked_at = link.account_checked_at
        if checked_at is not None and datetime.now(UTC) - checked_at < ON_DEMAND:
            return
        with self._lock:
            if len(self._queue) < MOST_QUEUED:
                self._queue[link.stripe_user_id, link.livemode] = None
            if not (self._is_running or self._is_held):
                self._is_running = self._start()

    def hold(self) -> None:
        """From now on leave accounts in the queue until `drain` is called: for tests."""
        self._is_held = True

    def drain(self) -> int:
        """Refresh every account in the queue, in this thread; return how many there were."""
        count = 0
        while (account := self._next()) is not None:
            self._refresh(*account)
            count += 1
        return count

    def _start(self) -> bool:
        try:
            threading.Thread(target=self._run, name="refresh", daemon=True).start()
        except RuntimeError:  # the system has no thread left; the next call tries again
            log.warning("no thread for refreshing accounts", queued=len(self._queue))
            return False
        return True

    def _run(self) -> None:
        time.sleep(DELAY)
        self.drain()

    def _next(self) -> tuple[str, bool] | None:
        with self._lock:
            account = next(iter(self._queue), None)
            if account is None:
                self._is_running = False
            else:
                del self._queue[account]
            return account

    def _refresh(self, account_id: str, livemode: bool) -> None:
        with self._in_context():
            try:
                refresh(account_id, livemode, self._stripe)
            except StripeBusy:
                log.debug("account not refreshed: calls for requests go first", account=account_id)
            except Exception:  # because the other accounts in the queue are still to be refreshed
                log.error("an account could not be refreshed", account=account_id, exc_info=True)
