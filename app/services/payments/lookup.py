"""Finding a payment at Stripe by our own metadata, where its idempotency key no longer helps."""

from functools import partial

from app.clients.stripe import PaymentIntent as StripeIntent
from app.clients.stripe import StripeConnect
from app.services.keyed_calls import CLOCK_SKEW, find_listed
from app.services.payments.claim import Claim
from app.services.payments.complete import complete_not_found
from app.services.payments.request import OUR_METADATA


def look_up(claim: Claim, stripe: StripeConnect) -> StripeIntent:
    """
    Return the intent that carries the payment's name, among those since it was first asked for.

    Raises StripeUnreadable if Stripe does not list it (closed as failed after a day), and what
    `list_payment_intents` raises.
    """
    if claim.sent_before is None:
        raise ValueError("A payment that was never sent cannot be found.")
    fetch_page = partial(
        stripe.list_payment_intents,
        account_id=claim.account_id,
        secret_key=claim.secret_key,
        since=claim.sent_before - CLOCK_SKEW,
    )
    intent = find_listed(lambda cursor: fetch_page(cursor=cursor), OUR_METADATA, claim.name)
    if intent is None:
        raise complete_not_found(claim)
    return intent
