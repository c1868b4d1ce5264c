"""Payments on linked accounts: one payment intent at Stripe per event and idempotency key."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.clock import database_now
from app.db.types import UTCDateTime
from app.extensions import Model

UNCLEAR = text("outcome IS NULL")


class PaymentIntent(Model):
    """
    Written and committed before Stripe is asked, with everything that Stripe is told.

    `outcome` is null while it is not known what Stripe did. `claimed_until` is the lease of a
    process that is asking right now; `first_sent_at` is when Stripe may first have seen the
    request; `client_id` names the platform that asked then, if it has one. The client secret is
    never stored.
    """

    __tablename__ = "payment_intents"
    __table_args__ = (
        UniqueConstraint("event_id", "idempotency_key"),
        CheckConstraint("outcome IN ('created', 'refused', 'failed')", name="outcome"),
        Index("ix_payment_intents_event_id_created_at", "event_id", "created_at"),
        Index(
            "ix_payment_intents_unclear",
            "created_at",
            postgresql_where=UNCLEAR,
            sqlite_where=UNCLEAR,
        ),
        Index("ix_payment_intents_stripe_user_id", "stripe_user_id", "livemode", "created_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    idempotency_key: Mapped[str] = mapped_column(String(255))
    request_digest: Mapped[str] = mapped_column(String(64))
    livemode: Mapped[bool]
    stripe_user_id: Mapped[str] = mapped_column(String(255))
    client_id: Mapped[str | None] = mapped_column(String(255))
    stripe_key: Mapped[str] = mapped_column(String(64), unique=True)
    parameters: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    application_fee_amount: Mapped[int] = mapped_column(BigInteger, default=0)
    description: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    first_sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    has_saved_fault: Mapped[bool] = mapped_column(default=False, server_default=false())
    needs_person: Mapped[bool] = mapped_column(default=False, server_default=false())
    outcome: Mapped[str | None] = mapped_column(String(16))
    stripe_payment_intent_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    stripe_status: Mapped[str | None] = mapped_column(String(40))
    checked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    error_status: Mapped[int | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str | None] = mapped_column(String(1000))
    stripe_error: Mapped[str | None] = mapped_column(String(300))

    def __repr__(self) -> str:
        return f"<PaymentIntent {self.id}>"

    @property
    def status(self) -> str:
        """What became of the payment: Stripe's status, or `unclear`, `refused` or `failed`."""
        return self.stripe_status or self.outcome or "unclear"
