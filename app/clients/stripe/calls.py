"""What every call to Stripe shares: its addresses, its deadline and its bulkhead."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from urllib.parse import urlencode

from app.clients.stripe.transport import MAX_ANSWER, Answer, Transport, Waiting
from app.errors import StripeBusy, StripeRejectedPlatform
from app.security.bulkhead import Bulkhead

USER_AGENT = "stripe-linking-service/1.0"

# Pinned, because without it Stripe answers in the version that the key's owner has chosen in the
# dashboard, and may change there at any time. It is that of the `stripe` package in
# requirements-dev.txt, which the tests hold against this client.
API_VERSION = "2026-10-28.endive"

PAGE_LIMIT = 4 * 1024 * 1024  # bytes: a hundred objects with all the metadata that Stripe allows

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
        self.waiting = waiting
        self._transport = Transport(user_agent=USER_AGENT, proxy=proxy, waiting=waiting)

    @property
    def timeout(self) -> float:
        """The total of one call, in seconds."""
        return self._timeout

    def _ask_api(
        self,
        method: str,
        path: str,
        *,
        secret_key: str,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        limit: int = MAX_ANSWER,
    ) -> Answer:
        return self._transport.send(
            method,
            f"{self._api_url}{path}" + (f"?{urlencode(query)}" if query else ""),
            timeout=self._timeout if timeout is None else timeout,
            form=form,
            headers={**authorize(secret_key), "Stripe-Version": API_VERSION, **(headers or {})},
            limit=limit,
        )

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


def page_query(since: datetime, cursor: str | None) -> dict[str, str]:
    """Return the query for a page of what was created since then, newest first."""
    query = {"limit": "100", "created[gte]": str(int(since.timestamp()))}
    return query | ({} if cursor is None else {"starting_after": cursor})
