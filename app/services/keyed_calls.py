"""
Calls that create something at Stripe once, under an idempotency key.

The row is committed before Stripe is asked, with a random key, the exact parameters and a lease.
Whatever times out or crashes, the next request asks again under the same key for as long as Stripe
remembers it (https://docs.stripe.com/api/idempotent_requests). Afterwards the key no longer helps,
and the object is looked up in Stripe's list by the reference that we put in its metadata.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Literal, Protocol, TypeVar

from app.clients.stripe import AccountNotConnected, ListPage
from app.errors import StripeError, StripeUnreadable

REPEATABLE = timedelta(hours=23)  # Stripe keeps idempotency keys for 24
CLOCK_SKEW = timedelta(minutes=10)  # at most, between our clock and Stripe's
MOST_PAGES = 1000  # of a hundred each
LEASE = timedelta(seconds=10)  # beyond the time that Stripe has to answer

Step = Literal["wait", "ask", "look-up"]
Failure = StripeError | AccountNotConnected


class Listed(Protocol):
    """Something in one of Stripe's lists."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What we attached to it when it was created."""


T = TypeVar("T", bound=Listed)


def next_step(
    now: datetime,
    claimed_until: datetime | None,
    first_sent_at: datetime | None,
    *,
    is_key_spent: bool,
) -> Step:
    """
    Return how to go on with a call whose outcome is not known, by the database's clock.

    *is_key_spent* says that the key no longer helps: Stripe would only repeat a failure under it,
    or does not know it, because another platform asks.
    """
    if claimed_until is not None and claimed_until > now:
        return "wait"
    is_forgotten = first_sent_at is not None and now - first_sent_at > REPEATABLE
    return "look-up" if is_key_spent or is_forgotten else "ask"


def lease_end(now: datetime, timeout: float) -> datetime:
    """Return until when a process may be waiting for an answer that has *timeout* seconds."""
    return now + timedelta(seconds=timeout) + LEASE


def retry_after(until: datetime, now: datetime) -> dict[str, str]:
    """Return the header for a request that comes while another one holds a lease *until* then."""
    return {"Retry-After": str(max(1, ceil((until - now).total_seconds())))}


def find_listed(
    fetch_page: Callable[[str | None], ListPage[T]], name: str, reference: str
) -> T | None:
    """
    Return what carries *reference* as *name* in its metadata; None if no page lists it.

    *fetch_page* takes a cursor, None for the first page. Raises StripeUnreadable for a list without
    an end.
    """
    cursor = None
    for _ in range(MOST_PAGES):
        page = fetch_page(cursor)
        for item in page.items:
            if item.metadata.get(name) == reference:
                return item
        if page.cursor is None:
            return None
        if page.cursor == cursor:
            break
        cursor = page.cursor
    raise StripeUnreadable("Stripe's list does not end. Please try again later.")
