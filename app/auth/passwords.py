"""
Passwords: hashed with argon2id, compared in the same time whether there is an account or not.

Hashes imported from Open Event Server are scrypt's; a password that matches one is hashed anew at
that sign-in.
"""

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import RateLimited
from app.security.bulkhead import Bulkhead

SHORTEST, LONGEST = 8, 1024  # characters
# OWASP's first choice for servers (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
NOBODY = hasher.hash("nobody has this password, because its hash is in no row")
IMPORTED = "oes-scrypt"  # what an imported hash begins with: oes-scrypt$<salt>$<hash>
NOBODYS_SALT = "salt of nobody"
AT_ONCE = 2  # per process: each takes 19 MiB and a core
PATIENCE = 10.0  # seconds in the queue

_verifying = Bulkhead(AT_ONCE, PATIENCE)


class Unacceptable(ValueError):
    """The password is too short, too long or not text. The message says which."""


@contextmanager
def admitted() -> Iterator[None]:
    """
    Pass the bulkhead of password verifications. No connection is held meanwhile.

    Raises RateLimited if it stays full.
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


def check_new(password: str) -> None:
    """Raise Unacceptable for a new password that is too short; older ones go on working."""
    if len(password) < SHORTEST:
        raise Unacceptable(f"The password has fewer than {SHORTEST} characters.")


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


def verify(password: str, kept: str | None) -> bool:
    """
    Return whether *password* is the one whose hash is *kept*.

    A failure takes the same time whatever is kept: an argon2id hash, an imported one, or none since
    there is no such account. Each time both kinds of hash are computed.
    """
    kind = (kept or "").partition("$")[0]
    if kind == IMPORTED:
        return _is_imported(password, kept or "") or _is_hashed(password, None)
    return _is_hashed(password, kept) or _is_imported(password, None)


def _is_hashed(password: str, kept: str | None) -> bool:
    """Verify against an argon2id hash; against nobody's if there is none."""
    try:
        secret = _normalized(password[:LONGEST]).encode()
    except UnicodeEncodeError:
        secret = b""
    try:
        matches = hasher.verify(kept or NOBODY, secret)
    except InvalidHashError:  # an account without a password
        return _is_hashed(password, None)
    except VerificationError:
        return False
    return matches and bool(secret) and bool(kept) and len(password) <= LONGEST


def _is_imported(password: str, kept: str | None) -> bool:
    """
    Verify against an imported hash; against nobody's if there is none.

    Open Event Server hashes the text as it was typed, and takes the salt's base64 for the salt.
    """
    _, salt, expected = (kept or f"{IMPORTED}${NOBODYS_SALT}$").split("$")
    try:
        secret = password[:LONGEST].encode()
    except UnicodeEncodeError:
        secret = b""
    made = hashlib.scrypt(secret, salt=salt.encode(), n=16384, r=8, p=1, dklen=64)
    matches = hmac.compare_digest(base64.b64encode(made).decode(), expected)
    return matches and bool(secret) and len(password) <= LONGEST


def encode_imported_hash(salt: str, password_hash: str) -> str:
    """Return a hash of Open Event Server, with its salt, as it is kept here until a sign-in."""
    return f"{IMPORTED}${salt}${password_hash}"


def hash_again(password: str) -> str:
    """Return today's hash of a password that has just been verified, whatever its length."""
    return hasher.hash(_normalized(password))


def is_outdated(kept: str) -> bool:
    """Return whether *kept* was made in another way than today's."""
    return kept.startswith(IMPORTED) or hasher.check_needs_rehash(kept)


def _normalized(password: str) -> str:
    """The same letters typed on another keyboard are the same password (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)
