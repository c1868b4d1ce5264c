"""What every call to Stripe has in common: its addresses, its time, and its place among others."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from app.clients.bulkhead import Bulkhead
from app.clients.stripe.transport import Transport, Waiting
from app.errors import StripeBusy, StripeRejectedPlatform

USER_AGENT = "stripe-linking-service/1.0"

_HEADER_VALUE = re.compile(r"[!-~]{1,500}")


class Calls:
    """The base of the client; `StripeConnect` says what its arguments mean."""

    def __init__(
        self,
        *,
        connect_url: str,
        api_url: str,
        timeout: float,
        bulkhead: Bulkhead,
        proxy: str | None = None,
        waiting: Waiting = nullcontext,
    ) -> None:
        self._connect_url = connect_url.rstrip("/")
        self._api_url = api_url.rstrip("/")
        self._timeout = timeout
        self.bulkhead = bulkhead
        self._transport = Transport(user_agent=USER_AGENT, proxy=proxy, waiting=waiting)

    @property
    def timeout(self) -> float:
        """The total of one call, in seconds."""
        return self._timeout

    @contextmanager
    def reserve(self) -> Iterator[None]:
        """Hold one of this process's places for a call to Stripe, or raise StripeBusy at once."""
        if not self.bulkhead.acquire():
            raise StripeBusy(
                "Too many calls to Stripe are under way at this moment and nothing was sent:"
                " please try again in a few seconds.",
                headers={"Retry-After": "2"},
            )
        try:
            yield
        finally:
            self.bulkhead.release()


def authorize(secret_key: str) -> dict[str, str]:
    """
    Return the header that carries *secret_key*.

    Raises StripeRejectedPlatform for a key that no header can carry, before a library tells it.
    """
    if not _HEADER_VALUE.fullmatch(secret_key):
        raise StripeRejectedPlatform(
            "The secret key cannot be one of Stripe's: please ask the administrator to check it.",
            cause="the secret key is empty, too long or not visible ASCII",
        )
    return {"Authorization": f"Bearer {secret_key}"}
