"""
Creating a payment, in three steps like a link: claim, ask Stripe, complete.

A keyed call (`app/services/keyed_calls.py`): the caller's idempotency key names the row, a random
key of our own the call. `lookup.py` finds out what became of a payment where that no longer helps.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from app.clients.stripe import AccountNotConnected, StripeConnect
from app.clients.stripe import PaymentIntent as StripeIntent
from app.db.reads import read_time
from app.errors import ServiceError, StripeError, StripeRejectedPlatform
from app.services.accounts.links import AccountKey
from app.services.events.theirs import confirm_event
from app.services.keyed_calls import Failure
from app.services.payments.access import denied
from app.services.payments.claim import Claim, Created, claim_payment, reclaim_payment
from app.services.payments.complete import complete_failed, record_intent
from app.services.payments.lookup import look_up
from app.services.payments.request import PaymentRequest
from app.services.payments.views import PaymentView
from app.services.persistence import persist
from app.services.platform.registration import read_platform


@dataclass(frozen=True)
class PaymentResult:
    """The payment, with its client secret, and whether this request *created* it."""

    payment: PaymentView
    created: bool


def create_payment(request: PaymentRequest, stripe: StripeConnect) -> PaymentResult:
    """
    Create the payment intent that *request* asks for; the same request again brings the same one.

    Raises NotFound, Forbidden, IdempotencyConflict, RememberedFailure, Conflict (a twin is under
    way), StripeDisabled, NotLinked, StripeNotConfigured, StripeBusy, with nothing sent; or a
    StripeError. No database connection is held while Stripe is asked.
    """
    confirm_event(request.event, request.caller)
    with ExitStack() as place:
        found = claim_payment(request, stripe, lambda: place.enter_context(stripe.reserve()))
        if isinstance(found, Claim):
            return PaymentResult(pursue(found, stripe), created=True)
    return PaymentResult(_show_again(found, stripe), created=False)


def resume_payment(payment_id: int, stripe: StripeConnect) -> bool:
    """
    Find out what became of an unclear payment; return whether that is known now.

    It is not while another process is working on it. Raises a StripeError.
    """
    with ExitStack() as place:
        claim = reclaim_payment(payment_id, stripe, lambda: place.enter_context(stripe.reserve()))
        if claim is None:
            return False
        pursue(claim, stripe)
        return True


def pursue(claim: Claim, stripe: StripeConnect) -> PaymentView:
    """Ask Stripe as *claim* says, record the outcome, and return it with the client secret."""
    asked_at = read_time() if claim.step == "look-up" else claim.sent_at
    try:
        intent = look_up(claim, stripe) if claim.step == "look-up" else _ask(claim, stripe)
    except (StripeError, AccountNotConnected) as error:
        raise _close(claim, error, stripe) from None
    record = partial(record_intent, claim.payment_id, intent, asked_at)
    payment: PaymentView = persist(record, stripe.waiting)
    return replace(payment, client_secret=intent.client_secret)


def _ask(claim: Claim, stripe: StripeConnect) -> StripeIntent:
    return stripe.create_payment_intent(
        claim.parameters,
        account_id=claim.account_id,
        secret_key=claim.secret_key,
        livemode=claim.livemode,
        idempotency_key=claim.stripe_key,
    )


def _close(claim: Claim, error: Failure, stripe: StripeConnect) -> ServiceError:
    """Record the failed call; return the error for the caller."""
    persist(partial(complete_failed, claim, error), stripe.waiting)
    if isinstance(error, AccountNotConnected | StripeRejectedPlatform):
        return denied(AccountKey(claim.account_id, claim.livemode), error, stripe)
    return error


def _show_again(created: Created, stripe: StripeConnect) -> PaymentView:
    """Return a payment that was created before, with its client secret as Stripe has it."""
    asked_at = read_time()
    try:
        intent = stripe.read_payment_intent(
            created.intent_id,
            account_id=created.account_id,
            secret_key=read_platform(created.livemode).secret_key,
            livemode=created.livemode,
        )
    except (AccountNotConnected, StripeRejectedPlatform) as error:
        account = AccountKey(created.account_id, created.livemode)
        raise denied(account, error, stripe) from None
    payment = record_intent(created.payment_id, intent, asked_at)
    return replace(payment, client_secret=intent.client_secret)
