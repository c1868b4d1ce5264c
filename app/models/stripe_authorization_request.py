"""Authorization requests: the browser's trip to Stripe, bound to user, event and mode."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.clock import database_now
from app.db.types import UTCDateTime
from app.extensions import Model


class StripeAuthorizationRequest(Model):
    """
    A state that was issued, kept only as a SHA-256 hash.

    `used_at` is set when an attempt consumes it, and emptied again if nothing was sent to Stripe.
    `account_id` is the row of `stripe_accounts` that an onboarding is about, null for OAuth; such a
    state is consumed by linking alone.
    """

    __tablename__ = "stripe_authorization_requests"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    state_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    livemode: Mapped[bool]
    account_id: Mapped[int | None]
    redirect_uri: Mapped[str] = mapped_column(String(2000))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
