"""Ids of Stripe's events that were handled: each is handled once."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.clock import database_now
from app.db.types import UTCDateTime
from app.extensions import Model


class StripeWebhookEvent(Model):
    """An event of Stripe's whose effect was committed together with this row."""

    __tablename__ = "stripe_webhook_events"

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(255))
    livemode: Mapped[bool]
    stripe_user_id: Mapped[str | None] = mapped_column(String(255))
    received_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now(), index=True)
