"""
An outbox: messages to another server that are committed first and delivered afterwards.

Whatever makes a message necessary enqueues it in its own transaction, so neither a crash nor an
unreachable server loses it. Delivering takes three short steps, and only the second one waits:

1. claim: in a transaction, take the row for the length of a lease, unless it is taken;
2. deliver: with no connection to the database, send what the *claim* says;
3. complete: in a transaction, record the outcome.

A process that dies leaves a lease that ends by the database's clock. Delivering must be idempotent,
since a message whose answer was lost is sent again. `app/services/deauthorization/outbox.py` is the
example to copy: a new outbox needs a model on `OutboxRow`, its own `enqueue`, and a `deliver`
around `claim` and `complete` below. The row is locked while any of them is called.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.errors import ServiceError, StripeRejectedPlatform
from app.models.outbox import OutboxRow

Delivery = Literal["done", "kept", "pending", "in-delivery"]
LEASE = timedelta(seconds=10)  # beyond the time that the other server has to answer
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=6)


@dataclass(frozen=True)
class Delivered:
    """The facts by which a delivery is judged: the row as it is now, and what was sent when."""

    now: datetime
    enqueued_at: datetime
    tries: int
    sent_at: datetime
    sent_before: datetime | None
    was_sent: bool = True
    error_code: str | None = None
    needs_person: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a delivery makes of its row."""

    sent_at: datetime | None
    done_at: datetime | None = None
    next_try_at: datetime | None = None
    error_code: str | None = None
    needs_person: bool = False


def is_claimable(row: OutboxRow, now: datetime) -> bool:
    """Return whether *row* is pending and no process is delivering it."""
    return row.done_at is None and (row.claimed_until is None or row.claimed_until <= now)


def claim(row: OutboxRow, now: datetime, timeout: float) -> None:
    """Take *row* for a delivery in which the other server has *timeout* seconds to answer."""
    row.tries, row.error_code = row.tries + 1, None
    row.sent_at = now
    row.claimed_until = now + timedelta(seconds=timeout) + LEASE


def complete(
    row: OutboxRow,
    now: datetime,
    *,
    sent_at: datetime,
    sent_before: datetime | None,
    error: ServiceError | None,
) -> bool:
    """
    Record the outcome of a delivery that was claimed at *sent_at*; return whether it is done.

    *sent_before* is what `sent_at` was until then: it is put back if nothing was sent.
    """
    outcome = judge(
        Delivered(
            now=now,
            enqueued_at=row.enqueued_at,
            tries=row.tries,
            sent_at=sent_at,
            sent_before=sent_before,
            was_sent=getattr(error, "sent", True),
            error_code=error.code if error else None,
            needs_person=isinstance(error, StripeRejectedPlatform),
        )
    )
    row.claimed_until = None
    row.sent_at, row.done_at = outcome.sent_at, outcome.done_at
    row.error_code, row.needs_person = outcome.error_code, outcome.needs_person
    row.next_try_at = outcome.next_try_at or row.next_try_at
    return row.done_at is not None


def judge(facts: Delivered) -> Outcome:
    """
    Return how a delivery ends: done, due again at once, or due again after a wait.

    A message that was enqueued again after it had left is not done: the other server may have read
    it before the new reason arose. `sent_at` becomes the moment at which we stopped waiting, since
    until then the message may have taken effect.
    """
    sent_at = facts.now if facts.was_sent else facts.sent_before
    if facts.error_code is not None:
        return Outcome(
            sent_at,
            next_try_at=facts.now + back_off(facts.tries),
            error_code=facts.error_code,
            needs_person=facts.needs_person,
        )
    if facts.enqueued_at <= facts.sent_at:
        return Outcome(sent_at, done_at=facts.now)
    return Outcome(sent_at, next_try_at=facts.now)


def postpone(row: OutboxRow, now: datetime, error_code: str) -> None:
    """Leave *row* for later: it cannot be delivered before a person has done something."""
    row.error_code, row.needs_person = error_code, True
    row.next_try_at = now + back_off(row.tries)


def mark_done(row: OutboxRow, now: datetime) -> None:
    """Take *row* out of the outbox: what it asks for has happened in another way."""
    row.done_at, row.claimed_until, row.needs_person = now, None, False


def back_off(tries: int) -> timedelta:
    """Return how long to wait after that many tries: doubled each time, 6 hours at most."""
    doublings: int = min(tries, 12)
    return min(LONGEST_WAIT, FIRST_WAIT * (1 << doublings))
