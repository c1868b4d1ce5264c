"""Claiming a payment: every check, in order, and the row that may be asked for at Stripe."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.auth.policy import require_payment
from app.clients.stripe import StripeConnect
from app.db.clock import current_time
from app.db.transactions import transaction
from app.errors import (
    Conflict,
    IdempotencyConflict,
    Invalid,
    NotLinked,
    RememberedFailure,
    StripeDisabled,
    StripeNotConfigured,
)
from app.models import PaymentIntent, Setting, StripeAuthorization
from app.services.events.queries import find_event_with_link
from app.services.events.views import FoundEvent
from app.services.keyed_calls import Step, lease_end, next_step, retry_after
from app.services.payments.request import PaymentRequest
from app.services.platform.registration import Platform, platform_of

COLUMNS = [column.key for column in PaymentIntent.__table__.columns]
# Built once: putting them together takes longer than running them.
INSERT = insert(PaymentIntent.__table__).returning(PaymentIntent.id)
KNOWN = (
    select(PaymentIntent)
    .where(
        PaymentIntent.event_id == bindparam("event_id"),
        PaymentIntent.idempotency_key == bindparam("key"),
    )
    .with_for_update()
    .execution_options(populate_existing=True)
)
UNDER_WAY = "This payment is being created right now. Please try again in a moment."


@dataclass(frozen=True)
class Claim:
    """
    The right to call Stripe about one payment, until the lease ends.

    *sent_at* is when Stripe was first asked, which is as old as the answer to a repetition may be.
    """

    payment_id: int
    step: Step
    account_id: str
    livemode: bool
    stripe_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    parameters: Mapping[str, str]
    name: str
    sent_before: datetime | None
    sent_at: datetime
    claimed_until: datetime


@dataclass(frozen=True)
class Created:
    """A payment that Stripe has made for the same request before."""

    payment_id: int
    intent_id: str
    account_id: str
    livemode: bool


def claim_payment(
    request: PaymentRequest, stripe: StripeConnect, reserve: Callable[[], Any]
) -> Claim | Created:
    """
    Commit the row that may be asked for, or return the payment that the same request made.

    *reserve* acquires a place for a call to Stripe, or raises StripeBusy; it is asked last. Raises
    what `create_payment` raises with nothing sent.
    """
    try:
        with transaction() as session:
            return _claim(session, request, stripe, reserve)
    except IntegrityError:  # a concurrent request has just committed its row
        raise Conflict(UNDER_WAY, headers={"Retry-After": "1"}) from None


def reclaim_payment(
    payment_id: int, stripe: StripeConnect, reserve: Callable[[], Any]
) -> Claim | None:
    """Claim an unclear payment, unless another process has it or its outcome is known."""
    with transaction() as session:
        row = session.get(PaymentIntent, payment_id, with_for_update=True, populate_existing=True)
        if row is None:
            return None
        now = current_time(session)
        platform = platform_of(session.get_one(Setting, 1), row.livemode)
        step = _next_step(row, platform, now)
        if row.outcome is not None or step == "wait" or not platform.secret_key:
            return None
        if step == "ask":
            reserve()
        return _take(session, row, step, platform, now, stripe)


def _claim(
    session: Session, request: PaymentRequest, stripe: StripeConnect, reserve: Callable[[], Any]
) -> Claim | Created:
    caller = request.caller.for_payments()
    event, setting, link, now = find_event_with_link(request.event, caller, field="event")
    require_payment(event.id, event.role, request.caller, livemode=setting.livemode)
    of_request = {"event_id": event.id, "key": request.idempotency_key}
    known = session.scalars(KNOWN, of_request).one_or_none()
    if known is not None:
        return _resume(session, known, request, setting, now, stripe, reserve)
    platform = platform_of(setting, setting.livemode)
    row = _new_row(request, event, _check(event, link, platform), platform)
    reserve()
    return _take(session, row, "ask", platform, now, stripe)


def _resume(
    session: Session,
    row: PaymentIntent,
    request: PaymentRequest,
    setting: Setting,
    now: datetime,
    stripe: StripeConnect,
    reserve: Callable[[], Any],
) -> Claim | Created:
    """Answer a repeated key from the row, or claim the payment if its outcome is unclear."""
    if row.request_digest != request.digest() or row.livemode != setting.livemode:
        raise IdempotencyConflict(
            "This idempotency key was used for another payment of the event.",
            field="idempotency_key",
        )
    if row.outcome is not None:
        return _remember(row)
    platform = platform_of(setting, row.livemode)
    step = _next_step(row, platform, now)
    if step == "wait":
        raise Conflict(UNDER_WAY, headers=retry_after(row.claimed_until or now, now))
    if not platform.secret_key:
        raise _not_configured()
    if step == "ask":
        reserve()  # looking up acquires a place for each page by itself
    return _take(session, row, step, platform, now, stripe)


def _next_step(row: PaymentIntent, platform: Platform, now: datetime) -> Step:
    """
    Return how to go on with an unclear payment.

    Idempotency keys belong to a platform, so another one would create a second intent under ours.
    """
    is_other = bool(row.client_id and platform.client_id and row.client_id != platform.client_id)
    spent = row.has_saved_fault or is_other
    return next_step(now, row.claimed_until, row.first_sent_at, is_key_spent=spent)


def _remember(row: PaymentIntent) -> Created:
    if row.outcome == "created" and row.stripe_payment_intent_id:
        return Created(row.id, row.stripe_payment_intent_id, row.stripe_user_id, row.livemode)
    raise RememberedFailure(
        row.error_status or 0,
        row.error_code or "",
        row.detail or "",
        meta={"stripe-error": row.stripe_error} if row.stripe_error else None,
    )


def _check(
    event: FoundEvent, link: StripeAuthorization | None, platform: Platform
) -> StripeAuthorization:
    """Return the link that is paid to; refuse an event that cannot be paid for."""
    if not event.can_pay_by_stripe:
        raise StripeDisabled("Payment by Stripe is switched off for this event.", field="event")
    if link is None:
        raise NotLinked("This event has no connected Stripe account.", field="event")
    if not (platform.secret_key and platform.publishable_key):
        raise _not_configured()
    return link


def _not_configured() -> StripeNotConfigured:
    return StripeNotConfigured(
        "Stripe is not set up on this platform yet. Please ask the administrator."
    )


def _new_row(
    request: PaymentRequest, event: FoundEvent, link: StripeAuthorization, platform: Platform
) -> PaymentIntent:
    currency = request.currency or event.payment_currency
    if currency is None:
        raise Invalid("Name the currency: the event has none.", field="currency")
    name = secrets.token_hex(16)
    return PaymentIntent(
        event_id=event.id,
        user_id=request.caller.id,
        idempotency_key=request.idempotency_key,
        request_digest=request.digest(),
        livemode=link.livemode,
        stripe_user_id=link.stripe_user_id,
        client_id=platform.client_id or None,
        stripe_key=name,
        parameters=json.dumps(request.form(currency, name)),
        amount=request.amount,
        currency=currency.upper(),
        application_fee_amount=request.application_fee_amount,
        description=request.description,
    )


def _take(
    session: Session,
    row: PaymentIntent,
    step: Step,
    platform: Platform,
    now: datetime,
    stripe: StripeConnect,
) -> Claim:
    sent_before, until = row.first_sent_at, lease_end(now, stripe.timeout)
    row.first_sent_at, row.claimed_until = sent_before or now, until
    return Claim(
        payment_id=row.id or _insert(session, row),
        step=step,
        account_id=row.stripe_user_id,
        livemode=row.livemode,
        stripe_key=row.stripe_key,
        secret_key=platform.secret_key,
        parameters=json.loads(row.parameters),
        name=row.stripe_key,
        sent_before=sent_before,
        sent_at=row.first_sent_at,
        claimed_until=until,
    )


def _insert(session: Session, row: PaymentIntent) -> int:
    """Insert a new row, and return its id. Takes half as long as the session's flush."""
    values = {name: value for name in COLUMNS if (value := getattr(row, name)) is not None}
    return session.connection().execute(INSERT, values).scalar_one()
