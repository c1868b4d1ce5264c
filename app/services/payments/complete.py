"""Recording the outcome of a call to Stripe about a payment."""

from contextlib import suppress
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clients.stripe import PaymentIntent as StripeIntent
from app.db.clock import current_time
from app.db.transactions import transaction
from app.errors import ServiceError, StripeUnreadable
from app.models import PaymentIntent, Setting
from app.security.logs import log
from app.services.keyed_calls import Failure
from app.services.payments.claim import Claim
from app.services.payments.outcome import Verdict, answer_for, is_lost, judge_failure
from app.services.payments.views import PaymentView, to_view

LOST = (
    "Stripe never confirmed this payment, and has no record of it: nothing was charged."
    " Please start a new payment."
)

LOCKED = (
    select(PaymentIntent, Setting)
    .join(Setting, Setting.id == 1)
    .where(PaymentIntent.id == bindparam("payment_id"))
    .with_for_update(of=PaymentIntent)
    .execution_options(populate_existing=True)
)


def record_intent(payment_id: int, intent: StripeIntent, asked_at: datetime) -> PaymentView:
    """
    Write what Stripe said about the payment, which was asked at *asked_at* by the database's
    clock; return how it is now. Idempotent.

    Raises StripeUnreadable if Stripe names the intent of another payment.
    """
    with suppress(IntegrityError), transaction() as session:
        row, setting = apply_intent(session, payment_id, intent, asked_at)
        if row.stripe_payment_intent_id == intent.intent_id:
            return to_view(row, setting)
    log.error("intent of another payment", payment=payment_id, intent=intent.intent_id)
    raise StripeUnreadable("Stripe's answer is about another payment. Please try again later.")


def apply_intent(
    session: Session, payment_id: int, intent: StripeIntent, asked_at: datetime
) -> tuple[PaymentIntent, Setting]:
    """
    Write what Stripe said when it was asked at *asked_at*, unless it was asked later.

    A payment has one intent, ever, so an answer about another one changes nothing.
    Returns the row, and the settings that it is shown with. A payment that was given up is taken
    back: Stripe has it all the same. The client secret is not stored.
    """
    row, setting = session.execute(LOCKED, {"payment_id": payment_id}).one()
    is_late = row.checked_at is not None and row.checked_at > asked_at
    if is_late or row.stripe_payment_intent_id not in (None, intent.intent_id):
        return row, setting
    row.outcome, row.stripe_payment_intent_id = "created", intent.intent_id
    row.stripe_status, row.checked_at = intent.status, asked_at
    row.claimed_until, row.needs_person = None, False
    row.error_status = row.error_code = row.detail = row.stripe_error = None
    return row, setting


def complete_failed(claim: Claim, error: Failure) -> Verdict:
    """
    Record a call that failed, unless the lease has passed to another process. Idempotent.

    A payment of which Stripe demonstrably knows nothing leaves no row behind, so its key is free.
    """
    verdict = judge_failure(
        error,
        was_sent_before=claim.sent_before is not None,
        is_look_up=claim.step == "look-up",
    )
    told = answer_for(error)
    with transaction() as session:
        row = session.get(
            PaymentIntent, claim.payment_id, with_for_update=True, populate_existing=True
        )
        if row is None or row.outcome is not None or row.claimed_until != claim.claimed_until:
            return verdict
        if verdict.ending == "gone":
            session.delete(row)
            return verdict
        row.claimed_until = None
        row.first_sent_at = claim.sent_before or row.first_sent_at
        row.has_saved_fault |= verdict.has_saved_fault
        row.needs_person |= verdict.needs_person
        row.error_status, row.error_code = told.status, told.code
        if verdict.ending == "refused":
            _remember(row, told)
    log.warning("payment", payment=claim.payment_id, ending=verdict.ending, code=told.code)
    return verdict


def complete_not_found(claim: Claim) -> StripeUnreadable:
    """
    Record that Stripe does not list the payment; return the error for the caller.

    Within a day it may still appear there. After that it is closed as failed.
    """
    lost = StripeUnreadable(LOST)
    with transaction() as session:
        row = session.get_one(
            PaymentIntent, claim.payment_id, with_for_update=True, populate_existing=True
        )
        now = current_time(session)
        if row.claimed_until == claim.claimed_until:
            row.claimed_until = None
        if row.outcome is None and is_lost(row.first_sent_at or now, now):
            row.outcome, row.error_status, row.error_code = "failed", lost.status, lost.code
            _remember(row, lost)
            return lost
    return StripeUnreadable(
        "Stripe has not confirmed this payment yet. Please try again later.",
        headers={"Retry-After": "600"},
    )


def _remember(row: PaymentIntent, error: ServiceError) -> None:
    row.outcome = row.outcome or "refused"
    row.needs_person, row.detail = False, error.detail[:1000]
    row.stripe_error = (error.meta or {}).get("stripe-error")
