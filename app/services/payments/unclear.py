"""Payments of which it is not known what Stripe did: finished by `stripe reconcile`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from app.clients.stripe import StripeConnect
from app.db.clock import database_now
from app.db.reads import read
from app.errors import ServiceError, StripeBusy
from app.models import PaymentIntent, Setting
from app.services.payments.create import resume_payment

DUE_AFTER = timedelta(minutes=5)  # until then the caller's own next request is quicker
PATIENCE = 3  # unanswered calls in a row, after which Stripe is not asked any more


@dataclass
class Resumed:
    """How many unclear payments were found, and of how many it is known now what became of them."""

    found: int = 0
    finished: int = 0


def find_unclear(*, only_due: bool) -> list[int]:
    """Return the payments whose outcome is not known and that no process is asking about."""
    row = PaymentIntent
    is_free = row.claimed_until.is_(None) | (row.claimed_until <= database_now())
    unclear = select(row.id, row.created_at, database_now().label("now")).where(
        row.outcome.is_(None), is_free
    )
    return [
        each.id
        for each in read(unclear.order_by(row.id))
        if not only_due or _is_due(each.created_at, each.now)
    ]


def _is_due(created_at: datetime, now: datetime) -> bool:
    return now - created_at >= DUE_AFTER


def resume_unclear(payment_ids: Iterable[int], stripe: StripeConnect) -> Resumed:
    """Find out about each payment; stop where Stripe does not answer."""
    resumed, failures = Resumed(), 0
    for payment_id in payment_ids:
        if failures == PATIENCE:
            break
        resumed.found += 1
        try:
            resumed.finished += resume_payment(payment_id, stripe)
            failures = 0
        except StripeBusy:
            break
        except ServiceError as error:
            if error.code in ("stripe-unreachable", "stripe-timeout"):
                failures += 1
    return resumed


def find_problems() -> list[str]:
    """Return a sentence for each payment that needs a person."""
    row = PaymentIntent
    found = read(
        select(row.id, row.event_id, row.stripe_user_id, row.error_code)
        .where(row.outcome.is_(None), row.needs_person)
        .order_by(row.id)
    )
    return [
        f"Payment {each.id} of event {each.event_id} to account {each.stripe_user_id} is unclear,"
        f" and Stripe does not let us look: {each.error_code}. Check the platform's keys with"
        " 'stripe check', and look for the payment in the account's dashboard."
        for each in found
    ] + _without_key()


def _without_key() -> list[str]:
    """Return a sentence for each mode that has unclear payments and no key to ask about them."""
    row = PaymentIntent
    unclear = select(row.livemode, func.count().label("count")).where(row.outcome.is_(None))
    stored = select(Setting.sealed_stripe_secret_key, Setting.sealed_stripe_test_secret_key)
    keys: Any = read(stored)[0]
    return [
        f"{each.count} payments in {'live' if each.livemode else 'test'} mode are unclear, and the"
        " settings have no secret key of that mode to ask Stripe with."
        for each in read(unclear.group_by(row.livemode))
        if keys[0 if each.livemode else 1] is None
    ]
