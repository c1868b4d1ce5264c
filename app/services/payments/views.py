"""A payment as it is shown, and who may see it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from app.auth.policy import READ_PAYMENTS, Caller, Role, require
from app.db.pages import Page
from app.errors import NotFound
from app.extensions import db
from app.models import PaymentIntent, Setting
from app.services.events.queries import find_event
from app.services.identifiers import read_id
from app.services.platform.registration import publishable_key_of

NO_PAYMENT = "There is no such payment."


@dataclass(frozen=True)
class PaymentView:
    """A payment as it is shown. Only the answer to its creation has the *client_secret*."""

    id: int
    event_id: int
    stripe_payment_intent_id: str | None
    status: str
    amount: int
    currency: str
    application_fee_amount: int
    description: str | None
    idempotency_key: str
    stripe_publishable_key: str | None
    stripe_account: str
    livemode: bool
    created_at: datetime
    client_secret: str | None = field(default=None, repr=False)

    @property
    def event(self) -> int:
        """The event, which is named by its id alone."""
        return self.event_id


def to_view(row: PaymentIntent, setting: Setting) -> PaymentView:
    """Return *row* with the platform's publishable key of its mode, by which Stripe.js charges."""
    return PaymentView(
        id=row.id,
        event_id=row.event_id,
        stripe_payment_intent_id=row.stripe_payment_intent_id,
        status=row.status,
        amount=row.amount,
        currency=row.currency,
        application_fee_amount=row.application_fee_amount,
        description=row.description,
        idempotency_key=row.idempotency_key,
        stripe_publishable_key=publishable_key_of(setting, row.livemode),
        stripe_account=row.stripe_user_id,
        livemode=row.livemode,
        created_at=row.created_at,
    )


def find_payment(payment_id: str, caller: Caller) -> tuple[PaymentIntent, Role]:
    """
    Return the payment, and *caller*'s role at its event.

    Raises NotFound, also where the event is hidden from *caller*.
    """
    row = db.session.get(PaymentIntent, read_id(payment_id), populate_existing=True)
    if row is None:
        raise NotFound(NO_PAYMENT)
    return row, find_event(str(row.event_id), caller.for_payments()).role


def read_payment(payment_id: str, caller: Caller) -> PaymentView:
    """Return the payment with this id. Raises NotFound, Forbidden."""
    row, role = find_payment(payment_id, caller)
    require(role, READ_PAYMENTS)
    return to_view(row, db.session.get_one(Setting, 1))


def list_payments(
    event_reference: str, caller: Caller, page: Page
) -> tuple[int, Sequence[PaymentView]]:
    """
    Return how many payments the event has, and a page of them, newest first.

    Raises NotFound, Forbidden.
    """
    event = find_event(event_reference, caller.for_payments())
    require(event.role, READ_PAYMENTS)
    conditions = [PaymentIntent.event_id == event.id, *page.filters]
    count = db.session.scalar(select(func.count()).select_from(PaymentIntent).where(*conditions))
    rows = db.session.scalars(
        page.of(select(PaymentIntent).where(*conditions), PaymentIntent.id.desc())
    )
    setting = db.session.get_one(Setting, 1)
    return count or 0, [to_view(row, setting) for row in rows]
