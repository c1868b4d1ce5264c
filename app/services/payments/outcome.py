"""
How a payment ends: pure functions from facts to a decision.

    started ──► created    Stripe made the payment intent, or it was found there
            ├─► refused    Stripe said 400, 402 or 404: nothing was made, and that is remembered
            ├─► failed     after a day Stripe does not know it: nothing was made
            ├─► gone       nothing reached Stripe, or it refused us: the key is free again
            └─► unclear    anything else: asked again under the same key, then looked up
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.clients.stripe import AccountNotConnected, SavedFault
from app.errors import ServiceError, StripeError, StripeRefused, StripeRejectedPlatform

REPEATABLE = timedelta(hours=23)  # Stripe keeps idempotency keys for 24
KNOWN_AFTER = timedelta(hours=24)  # what Stripe does not list by then was never made
LEASE = timedelta(seconds=10)  # beyond the time that Stripe has to answer

Step = Literal["wait", "ask", "look-up", "remember"]
Ending = Literal["refused", "gone", "unclear"]
Failure = StripeError | AccountNotConnected


@dataclass(frozen=True)
class Known:
    """What is known of a payment that was asked for before, by the database's clock."""

    now: datetime
    outcome: str | None
    claimed_until: datetime | None
    first_sent_at: datetime | None
    has_saved_fault: bool


def next_step(known: Known) -> Step:
    """Return what to do about a payment that is asked for again."""
    if known.outcome is not None:
        return "remember"
    if known.claimed_until is not None and known.claimed_until > known.now:
        return "wait"
    sent_at = known.first_sent_at
    if sent_at is not None and (known.has_saved_fault or known.now - sent_at > REPEATABLE):
        return "look-up"
    return "ask"


@dataclass(frozen=True)
class Verdict:
    """How a question that failed ends, and what is noted in the row."""

    ending: Ending
    has_saved_fault: bool = False
    needs_person: bool = False


def judge_failure(error: Failure, *, was_sent_before: bool) -> Verdict:
    """
    Return how a payment ends whose creation failed with *error*.

    Where an earlier request may have made it, neither a refusal of our access nor a request that
    did not leave says anything about that one.
    """
    if isinstance(error, StripeRefused):
        return Verdict("refused")
    if isinstance(error, AccountNotConnected | StripeRejectedPlatform):
        return Verdict("unclear", needs_person=True) if was_sent_before else Verdict("gone")
    if not error.sent:
        return Verdict("unclear" if was_sent_before else "gone")
    return Verdict("unclear", has_saved_fault=isinstance(error, SavedFault))


def is_lost(first_sent_at: datetime, now: datetime) -> bool:
    """Return whether a payment that Stripe does not list can be said not to exist."""
    return now - first_sent_at > KNOWN_AFTER


def answer_for(error: Failure) -> ServiceError:
    """Return what the caller is told of *error*."""
    if isinstance(error, AccountNotConnected):
        return StripeRejectedPlatform(
            "Stripe does not let this platform use the connected account:"
            " please ask the administrator to check the connection."
        )
    return error
