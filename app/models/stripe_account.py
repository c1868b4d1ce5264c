"""Accounts at Stripe: who connected which, and how."""

from datetime import datetime

from sqlalchemy import (
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

UNFINISHED = text("finished_at IS NULL AND disconnected_at IS NULL")


class StripeAccount(Model):
    """
    An account in one mode, as one user connected it: by OAuth, or by onboarding.

    An account of the *origin* `onboarding` was created by this platform, which cannot disconnect
    it. Its row is committed before Stripe is asked, with a random key and the exact parameters, and
    is unique per user, event and mode until the account is linked (`finished_at`); *reference*
    names the row in the account's metadata. `claimed_until` is the lease of a process that is
    creating it, `first_sent_at` is when Stripe may first have seen the key, and `is_key_spent` says
    that Stripe will only repeat a failure under it. `disconnected_at` ends a connection.
    """

    __tablename__ = "stripe_accounts"
    __table_args__ = (
        UniqueConstraint("stripe_user_id", "livemode", "connected_by_id"),
        CheckConstraint("origin IN ('oauth', 'onboarding')", name="origin"),
        Index(
            "uq_stripe_accounts_unfinished",
            "connected_by_id",
            "event_id",
            "livemode",
            unique=True,
            postgresql_where=UNFINISHED,
            sqlite_where=UNFINISHED,
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    stripe_user_id: Mapped[str | None] = mapped_column(String(255))
    livemode: Mapped[bool]
    origin: Mapped[str] = mapped_column(String(16))
    platform_account_id: Mapped[str | None] = mapped_column(String(255))
    connected_by_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), index=True
    )
    connected_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    disconnected_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    account_status: Mapped[str] = mapped_column(
        String(16), default="unknown", server_default="unknown"
    )
    display_name: Mapped[str | None] = mapped_column(String(300))
    country: Mapped[str | None] = mapped_column(String(300))
    account_checked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="SET NULL"))
    reference: Mapped[str | None] = mapped_column(String(64), unique=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(64))
    parameters: Mapped[str | None] = mapped_column(Text)
    first_sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    is_key_spent: Mapped[bool] = mapped_column(default=False, server_default=false())
