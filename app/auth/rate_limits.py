"""
How often passwords may be tried, counted for a minute in Redis or in this process.

Failures are counted where the password is verified and not by a decorator around the view, because
a decorator looks before and counts after the answer: a burst would get as many tries as there are
threads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from time import monotonic, time
from typing import TypeVar

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from app.errors import RateLimited
from app.extensions import bound
from app.security.logs import log

ATTEMPTS_PER_ADDRESS = RateLimitItemPerMinute(300)
PER_ACCOUNT = RateLimitItemPerMinute(10)
PER_ADDRESS = RateLimitItemPerMinute(60)
PER_CALLER = RateLimitItemPerMinute(30)
TOO_MANY_ATTEMPTS = "Too many sign-ins from your network. Please wait a minute and try again."
TOO_MANY_FAILURES = "Too many failed attempts. Please wait a minute and try again."
PATIENCE = 1.0  # seconds for Redis to connect, and to answer
PAUSE = 5.0  # seconds until a Redis that could not be reached is asked again
T = TypeVar("T")


@dataclass(frozen=True)
class Counter:
    """What is counted under *name* and *key*, how much of it is too much, and what is said then."""

    limit: RateLimitItem
    name: str
    key: str
    refusal: str = TOO_MANY_FAILURES


def attempts_from(address: str) -> Counter:
    """Count whatever is tried from a network *address* at the doors that take a password."""
    return Counter(ATTEMPTS_PER_ADDRESS, "attempts-from", address, TOO_MANY_ATTEMPTS)


def passwords_for(account: str) -> Counter:
    """Count wrong passwords for *account*, hashed: Redis holds no e-mail addresses."""
    digest = sha256(account.encode(errors="replace")).hexdigest()
    return Counter(PER_ACCOUNT, "passwords-for", digest)


def passwords_from(address: str) -> Counter:
    """Count wrong passwords from a network *address*."""
    return Counter(PER_ADDRESS, "passwords-from", address)


def users_asked_for_by(user_id: int | None) -> Counter:
    """Count the users whom a signed-in one named and who do not exist."""
    return Counter(PER_CALLER, "users-asked-for-by", str(user_id))


class RateLimits:
    """
    Counters; all processes share them where there is a Redis, at *redis_url*.

    Nobody is refused because Redis is away: each process then counts by itself, and asks Redis
    again after a pause.
    """

    def __init__(self, redis_url: str | None) -> None:
        self._here = FixedWindowRateLimiter(MemoryStorage())
        self._shared: FixedWindowRateLimiter | None = None
        self._pause_until = 0.0
        if redis_url:
            timeouts = {"socket_connect_timeout": PATIENCE, "socket_timeout": PATIENCE}
            storage = storage_from_string(redis_url, wrap_exceptions=True, **timeouts)
            self._shared = FixedWindowRateLimiter(storage)

    def check(self, *counters: Counter) -> None:
        """Raise RateLimited, saying when to try again, if one of *counters* is full."""
        for each in counters:
            self._require(each, self._ask(FixedWindowRateLimiter.test, each))

    def count(self, *counters: Counter) -> None:
        """Count one more failure."""
        for each in counters:
            self._ask(FixedWindowRateLimiter.hit, each)

    def take(self, counter: Counter) -> None:
        """Count one more attempt. Raises RateLimited if it is one too many."""
        self._require(counter, self._ask(FixedWindowRateLimiter.hit, counter))

    def _require(self, counter: Counter, has_room: bool) -> None:
        if not has_room:
            ends = self._ask(FixedWindowRateLimiter.get_window_stats, counter).reset_time
            seconds = max(1, ceil(ends - time()))
            raise RateLimited(counter.refusal, headers={"Retry-After": str(seconds)})

    def _ask(self, ask: Callable[..., T], counter: Counter) -> T:
        about = counter.limit, counter.name, counter.key
        if self._shared is not None and monotonic() >= self._pause_until:
            try:
                return ask(self._shared, *about)
            except StorageError as error:
                self._pause_until = monotonic() + PAUSE
                kind = type(error.storage_error).__name__
                log.warning("rate limits", cause="Redis is away; counting here", kind=kind)
        return ask(self._here, *about)


def rate_limits() -> RateLimits:
    """Return the counters of the running application."""
    limits: RateLimits = bound("rate_limits")
    return limits
