"""Canceling a payment at Stripe."""

from app.auth.policy import Caller, require_payment
from app.clients.stripe import AccountNotConnected, StripeConnect
from app.clients.stripe import PaymentIntent as StripeIntent
from app.db.reads import read_time
from app.errors import Conflict, StripeRefused, StripeRejectedPlatform
from app.extensions import db
from app.models import PaymentIntent, Setting
from app.services.accounts.links import AccountKey
from app.services.payments.access import denied
from app.services.payments.complete import record_intent
from app.services.payments.views import PaymentView, find_payment, to_view
from app.services.platform.registration import read_platform


def cancel_payment(payment_id: str, caller: Caller, stripe: StripeConnect) -> PaymentView:
    """
    Cancel the payment at Stripe. Idempotent.

    Raises NotFound, Forbidden, Conflict where it cannot be canceled (any more), and a StripeError.
    """
    row, role = find_payment(payment_id, caller)
    require_payment(row.event_id, role, caller, livemode=row.livemode)
    if row.stripe_status == "canceled":
        return to_view(row, db.session.get_one(Setting, 1))
    if row.outcome is None:
        raise Conflict(
            "It is not known yet whether Stripe has this payment. Please try again later."
        )
    if row.stripe_payment_intent_id is None:
        raise Conflict("This payment was not created at Stripe, so there is nothing to cancel.")
    row_id = row.id
    named, asked_at = _at_stripe(row), read_time()
    intent, refusal = _cancel(named, stripe)
    payment = record_intent(row_id, intent, asked_at)
    if refusal is not None and payment.status != "canceled":
        raise Conflict(refusal)
    return payment


def _at_stripe(row: PaymentIntent) -> tuple[str, str, bool]:
    """Return the payment's names at Stripe, and end the read transaction."""
    named = row.stripe_payment_intent_id or "", row.stripe_user_id, row.livemode
    db.session.rollback()
    return named


def _cancel(named: tuple[str, str, bool], stripe: StripeConnect) -> tuple[StripeIntent, str | None]:
    """Return the intent as it is then, and Stripe's sentence if it refuses to cancel it."""
    intent_id, account_id, livemode = named
    secret_key = read_platform(livemode).secret_key
    try:
        try:
            intent = stripe.cancel_payment_intent(
                intent_id, account_id=account_id, secret_key=secret_key, livemode=livemode
            )
            return intent, None
        except StripeRefused as refusal:
            intent = stripe.read_payment_intent(
                intent_id, account_id=account_id, secret_key=secret_key, livemode=livemode
            )
            return intent, refusal.detail
    except (AccountNotConnected, StripeRejectedPlatform) as error:
        raise denied(AccountKey(account_id, livemode), error, stripe) from None
