"""
Failed sign-ins, counted per account and per address, in Redis or in this process.

They are counted here and not by a decorator around the view, because a decorator looks before the
password is verified and counts after the answer: a burst would get as many guesses as there are
threads.
"""

from collections.abc import Iterator
from hashlib import sha256
from math import ceil
from time import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError

from app.errors import RateLimited
from app.extensions import limiter
from app.logs import log

PER_ACCOUNT = RateLimitItemPerMinute(10)
PER_ADDRESS = RateLimitItemPerMinute(60)


def refuse_after_too_many(account: str, address: str) -> None:
    """Raise RateLimited, saying when to try again, if there was too much guessing."""
    for limit, *key in _counters(account, address):
        try:
            if not limiter.limiter.test(limit, *key):
                raise _refusal(limiter.limiter.get_window_stats(limit, *key).reset_time)
        except StorageError as error:
            _tell(error)


def count(account: str, address: str) -> None:
    """Count a sign-in that failed."""
    for limit, *key in _counters(account, address):
        try:
            limiter.limiter.hit(limit, *key)
        except StorageError as error:
            _tell(error)


def _counters(account: str, address: str) -> Iterator[tuple[RateLimitItem, str, str]]:
    """The account is hashed, so that Redis holds no e-mail addresses."""
    yield PER_ACCOUNT, "failed-account", sha256(account.encode(errors="replace")).hexdigest()
    yield PER_ADDRESS, "failed-address", address


def _refusal(reset_at: float) -> RateLimited:
    return RateLimited(
        "Too many failed attempts to sign in. Please wait a minute and try again.",
        headers={"Retry-After": str(max(1, ceil(reset_at - time())))},
    )


def _tell(error: StorageError) -> None:
    """Signing in goes on; from the next request on Flask-Limiter counts in memory."""
    log.warning("rate limits", cause="the counters cannot be reached", kind=type(error).__name__)
