"""
How a payment ends: pure functions from facts to a decision.

    started ──► created    Stripe created the payment intent, or it was found there
            ├─► refused    Stripe said 400, 402 or 404: nothing was created; the refusal is repeated
            ├─► failed     after a day Stripe does not list it: nothing was created
            ├─► gone       nothing reached Stripe, or it refused us: the key is free again
            └─► unclear    anything else: asked again under the same key, then looked up
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.clients.stripe import AccountNotConnected, SavedFault
from app.errors import ServiceError, StripeRefused, StripeRejectedPlatform
from app.services.keyed_calls import Failure

KNOWN_AFTER = timedelta(hours=24)  # what Stripe does not list by then was never made

Ending = Literal["refused", "gone", "unclear"]


@dataclass(frozen=True)
class Verdict:
    """How a failed call ends the payment, and what the row records."""

    ending: Ending
    has_saved_fault: bool = False
    needs_person: bool = False


def judge_failure(error: Failure, *, was_sent_before: bool, is_look_up: bool = False) -> Verdict:
    """
    Return how a payment ends whose creation failed with *error*.

    Where an earlier request may have made it, neither a refusal of our access nor a request that
    did not leave says anything about that one; nor does a refusal to list payments.
    """
    if isinstance(error, StripeRefused):
        return Verdict("unclear" if is_look_up else "refused")
    if isinstance(error, AccountNotConnected | StripeRejectedPlatform):
        return Verdict("unclear", needs_person=True) if was_sent_before else Verdict("gone")
    if not error.sent:
        return Verdict("unclear" if was_sent_before else "gone")
    return Verdict("unclear", has_saved_fault=isinstance(error, SavedFault))


def is_lost(first_sent_at: datetime, now: datetime) -> bool:
    """Return whether a payment that Stripe does not list can be said not to exist."""
    return now - first_sent_at > KNOWN_AFTER


def answer_for(error: Failure) -> ServiceError:
    """Return the error that the caller gets for *error*."""
    if isinstance(error, AccountNotConnected):
        return StripeRejectedPlatform(
            "Stripe does not let this platform use the connected account:"
            " please ask the administrator to check the connection."
        )
    return error
