"""
How an attempt to link ends: pure functions from facts to an outcome.

    started ──► linked        the account was stored
            ├─► refused       Stripe said no, or what it granted cannot be used
            ├─► failed        Stripe's answer is unknown, or the account may no longer be stored
            ├─► not-sent      nothing reached Stripe: code and state are free again
            └─► interrupted   the lease ended before the attempt did
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.auth.policy import ORGANIZER, Role
from app.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OnboardingIncomplete,
    ServiceError,
    StripeDisabled,
    StripeError,
    StripeModeMismatch,
    StripeRefused,
    StripeRejectedPlatform,
)
from app.models import Event, StripeLinkAttempt

Outcome = Literal["linked", "refused", "failed", "not-sent", "interrupted"]
Verdict = Literal["store", "stored", "doubtful"]
REFUSALS = (StripeRefused, StripeModeMismatch, StripeRejectedPlatform, OnboardingIncomplete)
ACCOUNT_GONE = "This account has just been disconnected. Please connect with Stripe again."
INTERRUPTED = (
    "The connection was interrupted before Stripe's answer could be saved."
    " Please connect with Stripe again."
)


def is_expired(attempt: StripeLinkAttempt, now: datetime) -> bool:
    """Return whether the lease of an unfinished attempt has ended."""
    return attempt.finished_at is None and attempt.expires_at <= now


def judge_failure(error: ServiceError) -> Outcome:
    """Return how an attempt ends that ends with *error*."""
    if isinstance(error, StripeError) and not error.sent:
        return "not-sent"
    return "refused" if isinstance(error, REFUSALS) else "failed"


@dataclass(frozen=True)
class CompletionFacts:
    """
    The facts that decide whether a granted account may be stored, read under the locks.

    *attempt* and *event* are None if they are gone. *livemode* is the mode that the platform is in
    now. *disconnected_at* is until when Stripe may last have been told to disconnect the account;
    *delivering_until* ends the lease of a process that is telling it right now; *has_pending* says
    that a deauthorization of it is in the outbox. *may_use* is False if the account was to be taken
    over from another link, and is no longer there to be taken.
    """

    now: datetime
    attempt: StripeLinkAttempt | None
    event: Event | None
    role: Role
    livemode: bool
    disconnected_at: datetime | None = None
    delivering_until: datetime | None = None
    has_pending: bool = False
    may_use: bool = True

    @property
    def is_delivering(self) -> bool:
        """Whether Stripe is being told right now to disconnect the account."""
        return self.delivering_until is not None and self.delivering_until > self.now


def judge_completion(
    facts: CompletionFacts, livemode: bool, confirmed: datetime | None
) -> Verdict | ServiceError:
    """
    Return what becomes of an account that was granted in the mode *livemode*.

    `store` it; it is `stored` already, since an earlier commit came through; it is `doubtful`
    whether Stripe has disconnected it since the attempt started; or the refusal, because something
    has changed since the attempt started. *confirmed* is a disconnection after which Stripe said
    that the account is connected all the same.
    """
    attempt, event = facts.attempt, facts.event
    if attempt is not None and attempt.outcome == "linked":
        return "stored"
    if attempt is None or attempt.finished_at is not None:
        return Conflict("This attempt took too long and was given up. Please connect again.")
    if event is None or event.deleted_at is not None:
        return NotFound("There is no such event.", field="event")
    if facts.role < ORGANIZER:
        return Forbidden("You can no longer connect a Stripe account to this event.")
    if not event.can_pay_by_stripe:
        return StripeDisabled("Payment by Stripe has just been switched off.", field="event")
    if facts.livemode is not livemode:
        return StripeModeMismatch(
            "The platform has just been switched between test and live mode."
            " Please connect with Stripe again."
        )
    if not facts.may_use:
        return Invalid(ACCOUNT_GONE, field="account")
    last = facts.disconnected_at
    if last is not None and last >= attempt.started_at and last != confirmed:
        return "doubtful"
    return "store"
