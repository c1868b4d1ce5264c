"""Webhooks about payments: they make us ask Stripe how the payment is now."""

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from app.clients.stripe import AccountNotConnected, StripeConnect
from app.clients.stripe import PaymentIntent as StripeIntent
from app.db.reads import read, read_time
from app.db.transactions import transaction
from app.errors import StripeError, Unavailable
from app.models import PaymentIntent
from app.security.logs import log
from app.services.deauthorization.events import StripeEvent
from app.services.payments.access import is_linked
from app.services.payments.complete import apply_intent
from app.services.payments.request import OUR_METADATA
from app.services.platform.registration import read_platform

CONFIRMING = 3.0  # seconds that Stripe has to describe the payment


def receive(event: StripeEvent, stripe: StripeConnect) -> None:
    """
    Record how the payment that *event* is about is now; ignore one that is not ours.

    The event's id is stored with its effect, in one transaction. Raises Unavailable where Stripe
    does not say, so that it sends the event again.
    """
    payment_id = _find(event)
    if payment_id is None:
        return
    asked_at = read_time()
    intent = _ask(event, stripe)
    try:
        with transaction() as session:
            if intent is not None:
                apply_intent(session, payment_id, intent, asked_at)
            session.add(event.to_row())
    except IntegrityError:  # another delivery of the same event was handled just now
        log.info("event handled twice", stripe_event_id=event.id)


def _find(event: StripeEvent) -> int | None:
    """Return the payment by Stripe's id, or by our own name where its answer never reached us."""
    row = PaymentIntent
    found = read(
        select(row.id).where(
            row.stripe_user_id == event.account.account_id,
            row.livemode == event.account.livemode,
            or_(
                row.stripe_payment_intent_id == event.object_id,
                row.stripe_payment_intent_id.is_(None)
                & (row.stripe_key == str(event.metadata.get(OUR_METADATA, ""))),
            ),
        )
    )
    return found[0].id if found else None


def _ask(event: StripeEvent, stripe: StripeConnect) -> StripeIntent | None:
    """Return the payment as Stripe describes it; None if the account is no longer linked."""
    livemode = event.account.livemode
    try:
        return stripe.read_payment_intent(
            event.object_id,
            account_id=event.account.account_id,
            secret_key=read_platform(livemode).secret_key,
            livemode=livemode,
            timeout=CONFIRMING,
        )
    except AccountNotConnected:
        if is_linked(event.account):  # the key may be another platform's, for a moment
            raise Unavailable from None
        return None
    except StripeError as error:
        log.warning(
            "payment not read", stripe_event_id=event.id, code=error.code, cause=error.cause
        )
        raise Unavailable from None
