"""Which Stripe account is the platform's own: what its secret key belongs to."""

from hashlib import sha256

from app.clients.stripe import StripeConnect
from app.errors import StripeError
from app.security.logs import log
from app.services.platform.registration import Platform

_known: dict[bytes, str] = {}  # by the key's digest; a key belongs to one account forever


def known_platform_id(platform: Platform) -> str | None:
    """Return the id of the platform's own account if this process has asked for it before."""
    return _known.get(_digest(platform.secret_key))


def find_platform_id(platform: Platform, stripe: StripeConnect, timeout: float) -> str | None:
    """
    Return the id of the account that the platform's secret key belongs to, None if unknown.

    Asks Stripe (`GET /v1/account`) once per key and process, with no database connection held.
    """
    platform_id = known_platform_id(platform)
    if platform_id is not None:
        return platform_id
    try:
        platform_id = stripe.read_platform_id(secret_key=platform.secret_key, timeout=timeout)
    except StripeError as error:
        log.warning("the platform's own account was not read", code=error.code, cause=error.cause)
        return None
    _known[_digest(platform.secret_key)] = platform_id
    return platform_id


def _digest(secret_key: str) -> bytes:
    return sha256(secret_key.encode()).digest()
