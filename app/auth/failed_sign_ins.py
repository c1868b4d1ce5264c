"""
Guesses that failed, counted for a minute in Redis or in this process.

They are counted here and not by a decorator around the view, because a decorator looks before the
password is verified and counts after the answer: a burst would get as many guesses as there are
threads.
"""

from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from time import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError

from app.errors import RateLimited
from app.extensions import limiter
from app.security.logs import log

PER_ACCOUNT = RateLimitItemPerMinute(10)
PER_ADDRESS = RateLimitItemPerMinute(60)
PER_CALLER = RateLimitItemPerMinute(30)


@dataclass(frozen=True)
class Counter:
    """What is counted under *name* and *key*, and how much of it is too much."""

    limit: RateLimitItem
    name: str
    key: str


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


def refuse_after_too_many(*counters: Counter) -> None:
    """Raise RateLimited, saying when to try again, if one of *counters* is full."""
    for each in counters:
        try:
            if not limiter.limiter.test(each.limit, each.name, each.key):
                stats = limiter.limiter.get_window_stats(each.limit, each.name, each.key)
                raise _refusal(stats.reset_time)
        except StorageError as error:
            _tell(error)


def count(*counters: Counter) -> None:
    """Count one more guess that failed."""
    for each in counters:
        try:
            limiter.limiter.hit(each.limit, each.name, each.key)
        except StorageError as error:
            _tell(error)


def _refusal(reset_at: float) -> RateLimited:
    return RateLimited(
        "Too many failed attempts. Please wait a minute and try again.",
        headers={"Retry-After": str(max(1, ceil(reset_at - time())))},
    )


def _tell(error: StorageError) -> None:
    """Nobody is refused for it; with the next sign-in the limiter falls back to memory."""
    log.warning("rate limits", cause="the counters cannot be reached", kind=type(error).__name__)
