"""Passwords: hashed with argon2id, compared in the same time whether there is an account or not."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.clients.bulkhead import Bulkhead
from app.errors import RateLimited

LONGEST = 1024  # characters
# OWASP's first choice for servers (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
NOBODY = hasher.hash("nobody has this password, because its hash is in no row")
AT_ONCE = 2  # per process: each takes 19 MiB and a core
PATIENCE = 10.0  # seconds in the queue

_verifying = Bulkhead(AT_ONCE, PATIENCE)


class Unacceptable(ValueError):
    """The password is empty, too long or not text. The message says which."""


@contextmanager
def turn() -> Iterator[None]:
    """
    Wait for one of the few turns to verify a password; whoever waits holds no connection.

    Raises RateLimited if there was none in time.
    """
    if not _verifying.acquire():
        raise RateLimited(
            "Too many people are signing in at this moment. Please try again.",
            headers={"Retry-After": "5"},
        )
    try:
        yield
    finally:
        _verifying.release()


def make_hash(password: str) -> str:
    """Return the hash to keep for *password*. Raises Unacceptable."""
    if not password:
        raise Unacceptable("The password is empty.")
    if len(password) > LONGEST:
        raise Unacceptable(f"The password is longer than {LONGEST} characters.")
    try:
        return hasher.hash(_normalized(password))
    except UnicodeEncodeError:
        raise Unacceptable("The password is not text.") from None


def is_password(password: str, kept: str | None) -> bool:
    """
    Return whether *password* is the one whose hash is *kept*.

    Without a hash (there is no such account), or with a password that nobody can have, another hash
    is verified, so that the answer takes the same time.
    """
    try:
        secret = _normalized(password[:LONGEST]).encode()
    except UnicodeEncodeError:
        secret = b""
    try:
        matches = hasher.verify(kept or NOBODY, secret)
    except InvalidHashError:  # an account without a password
        return is_password(password, None)
    except VerificationError:
        return False
    return matches and bool(secret) and bool(kept) and len(password) <= LONGEST


def is_outdated(kept: str) -> bool:
    """Return whether *kept* was made with other parameters than today's."""
    return hasher.check_needs_rehash(kept)


def _normalized(password: str) -> str:
    """The same letters typed on another keyboard are the same password (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)
