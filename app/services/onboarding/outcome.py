"""
How an account comes to be, once and only once: pure functions from facts to a decision.

    started ──► ask       under the row's own key, for as long as Stripe remembers it
            ├─► look up   where the key no longer helps: found, or asked for under another key
            └─► known     Stripe has named the account
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.clients.stripe import AccountNotConnected, SavedFault
from app.errors import StripeError, StripeRefused

REPEATABLE = timedelta(hours=23)  # Stripe keeps idempotency keys for 24
LEASE = timedelta(seconds=10)  # beyond the time that Stripe has to answer

Step = Literal["known", "wait", "ask", "look-up"]
Failure = StripeError | AccountNotConnected


@dataclass(frozen=True)
class Known:
    """What is known of an account that is being created, by the database's clock."""

    now: datetime
    account_id: str | None = None
    claimed_until: datetime | None = None
    first_sent_at: datetime | None = None
    is_key_spent: bool = False


def next_step(known: Known) -> Step:
    """Return what to do about an account that is asked for, or asked for again."""
    if known.account_id is not None:
        return "known"
    if known.claimed_until is not None and known.claimed_until > known.now:
        return "wait"
    sent_at = known.first_sent_at
    if known.is_key_spent or (sent_at is not None and known.now - sent_at > REPEATABLE):
        return "look-up"
    return "ask"


def is_key_spent(error: Failure) -> bool:
    """
    Return whether another key is needed after *error*: Stripe would only say it again.

    Whether an earlier request has made the account is then to be found out first.
    """
    return isinstance(error, StripeRefused | SavedFault)


def was_never_sent(error: Failure, sent_before: datetime | None) -> bool:
    """Return whether Stripe demonstrably has not seen the key."""
    return sent_before is None and isinstance(error, StripeError) and not error.sent
