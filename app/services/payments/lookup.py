"""Finding a payment at Stripe by our own metadata, where its idempotency key no longer helps."""

from datetime import timedelta

from app.clients.stripe import PaymentIntent as StripeIntent
from app.clients.stripe import StripeConnect
from app.services.payments.claim import Claim
from app.services.payments.complete import complete_not_found
from app.services.payments.request import OUR_METADATA

CLOCKS = timedelta(minutes=10)  # by which our clock and Stripe's may differ


def look_up(claim: Claim, stripe: StripeConnect) -> StripeIntent:
    """
    Return the intent that carries the payment's name, among those since it was first asked for.

    Raises StripeUnreadable if Stripe does not list it (closed as failed after a day), and what
    `list_payment_intents` raises.
    """
    if claim.sent_before is None:
        raise ValueError("A payment that was never sent cannot be found.")
    since, cursor = claim.sent_before - CLOCKS, None
    while True:
        page = stripe.list_payment_intents(
            account_id=claim.account_id, secret_key=claim.secret_key, since=since, cursor=cursor
        )
        for intent in page.intents:
            if intent.metadata.get(OUR_METADATA) == claim.name:
                return intent
        cursor = page.cursor
        if cursor is None:
            raise complete_not_found(claim)
