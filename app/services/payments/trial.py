"""Test payments: a small amount on the linked account, paid with Stripe's test card."""

from functools import partial

from app.auth.policy import Caller
from app.clients.stripe import AccountNotConnected, StripeConnect
from app.db.reads import read_time
from app.errors import Forbidden, Invalid, StripeRejectedPlatform
from app.extensions import db
from app.models import PaymentIntent
from app.services.accounts.links import AccountKey
from app.services.events.queries import read_event
from app.services.payments.access import denied
from app.services.payments.complete import record_intent
from app.services.payments.create import create_payment
from app.services.payments.request import PaymentRequest
from app.services.payments.views import PaymentView
from app.services.persistence import persist
from app.services.platform.registration import read_platform

CARD = "pm_card_visa"  # https://docs.stripe.com/testing
DEFAULT = 500
# About five euros, in the minor unit of currencies where 500 is too little or too much.
AMOUNTS = {
    "BIF": 15000, "CLP": 5000, "COP": 2000000, "CZK": 12500, "DJF": 1000, "GNF": 50000,
    "HUF": 200000, "IDR": 9000000, "INR": 45000, "JPY": 800, "KMF": 2500, "KRW": 7500,
    "MXN": 10000, "PYG": 40000, "RWF": 7000, "THB": 20000, "UGX": 2000000, "VND": 130000,
    "XAF": 3300, "XOF": 3300, "XPF": 600,
}  # fmt: skip


def send_test_payment(
    event_reference: str, caller: Caller, key: str, stripe: StripeConnect, return_url: str
) -> PaymentView:
    """
    Pay a small amount of the event's currency to its account, once per *key*; test mode alone.

    Raises Invalid without a currency, Forbidden in live mode, and what `create_payment` raises.
    """
    event = read_event(event_reference, caller)
    if event.stripe_authorization is not None and event.stripe_authorization.livemode:
        raise Forbidden("Test payments are sent in test mode only.")
    if event.payment_currency is None:
        raise Invalid("Choose a currency for the event first.", field="currency")
    currency = event.payment_currency.upper()
    request = PaymentRequest(
        event=str(event.id),
        caller=caller,
        amount=AMOUNTS.get(currency, DEFAULT),
        currency=currency,
        idempotency_key=f"test-payment-{key}",
        description="Test payment",
    )
    made = create_payment(request, stripe).payment
    if made.livemode:  # the mode was switched this very moment; nothing is paid then
        raise Forbidden("Test payments are sent in test mode only.")
    return made if made.status == "succeeded" else _confirm(made, stripe, return_url)


def _confirm(payment: PaymentView, stripe: StripeConnect, return_url: str) -> PaymentView:
    row = db.session.get_one(PaymentIntent, payment.id)
    intent_id, account_id = row.stripe_payment_intent_id, row.stripe_user_id
    platform, asked_at = read_platform(livemode=False), read_time()
    try:
        intent = stripe.confirm_payment_intent(
            intent_id or "",
            payment_method=CARD,
            return_url=return_url,
            account_id=account_id,
            secret_key=platform.secret_key,
            livemode=False,
        )
    except (AccountNotConnected, StripeRejectedPlatform) as error:
        raise denied(AccountKey(account_id, livemode=False), error, stripe) from None
    record = partial(record_intent, payment.id, intent, asked_at)
    paid: PaymentView = persist(record, stripe.waiting)
    return paid
