"""Accounts to be cut at Stripe: what is owed, and when it was last told."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.clock import database_now
from app.db.types import UTCDateTime
from app.extensions import db

OWED = text("done_at IS NULL")


class StripeDeauthorization(db.Model):
    """
    Work owed to Stripe: cut *stripe_user_id* off from the application *client_id*.

    `claimed_until` is the lease of whoever is telling Stripe right now. Finished rows stay for a
    while, because a link made meanwhile must know that the account may just have been cut.
    """

    __tablename__ = "stripe_deauthorizations"
    __table_args__ = (
        Index(
            "uq_stripe_deauthorizations_owed",
            "stripe_user_id",
            "livemode",
            "client_id",
            unique=True,
            postgresql_where=OWED,
            sqlite_where=OWED,
        ),
        Index("ix_stripe_deauthorizations_stripe_user_id", "stripe_user_id", "livemode"),
        Index(
            "ix_stripe_deauthorizations_next_try_at",
            "next_try_at",
            postgresql_where=OWED,
            sqlite_where=OWED,
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    stripe_user_id: Mapped[str] = mapped_column(String(255))
    livemode: Mapped[bool]
    client_id: Mapped[str] = mapped_column(String(255))
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="SET NULL"))
    owed_since: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    error_code: Mapped[str | None] = mapped_column(String(64))
    needs_person: Mapped[bool] = mapped_column(default=False, server_default=false())
