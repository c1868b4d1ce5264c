"""Deauthorizations: accounts that Stripe is to disconnect from the platform."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.clock import database_now
from app.db.types import UTCDateTime
from app.extensions import Model
from app.models.outbox import OutboxRow

PENDING = text("done_at IS NULL")


class StripeDeauthorization(OutboxRow, Model):
    """
    A message to Stripe: disconnect *stripe_user_id* from the application *client_id*.

    At most one is pending per account, mode and application. Delivered ones stay for a day: an
    attempt to link the account that began before must know that it may just have been disconnected.
    """

    __tablename__ = "stripe_deauthorizations"
    __table_args__ = (
        Index(
            "uq_stripe_deauthorizations_owed",
            "stripe_user_id",
            "livemode",
            "client_id",
            unique=True,
            postgresql_where=PENDING,
            sqlite_where=PENDING,
        ),
        Index("ix_stripe_deauthorizations_stripe_user_id", "stripe_user_id", "livemode"),
        Index(
            "ix_stripe_deauthorizations_next_try_at",
            "next_try_at",
            postgresql_where=PENDING,
            sqlite_where=PENDING,
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    stripe_user_id: Mapped[str] = mapped_column(String(255))
    livemode: Mapped[bool]
    client_id: Mapped[str] = mapped_column(String(255))
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="SET NULL"))
    enqueued_at: Mapped[datetime] = mapped_column("owed_since", UTCDateTime, default=database_now())
