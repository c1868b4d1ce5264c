"""Every attempt to link an account: the claim on a code, and the answer that was given."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.clock import database_now
from app.db.types import UTCDateTime
from app.extensions import Model
from app.models.user import User

UNFINISHED = text("finished_at IS NULL")
SENT = text("outcome IS NULL OR outcome <> 'not-sent'")


class StripeLinkAttempt(Model):
    """
    Committed before the code goes to Stripe, so that the database decides which request may send
    it.

    Two partial unique indexes do that: a code belongs to one attempt unless it was demonstrably not
    sent, and an event has one unfinished attempt. `stripe_auth_code` is a keyed digest, null for a
    method without a code. `expires_at` ends the lease of the process that made the attempt.
    """

    __tablename__ = "stripe_link_attempts"
    __table_args__ = (
        Index(
            "uq_stripe_link_attempts_code",
            "stripe_auth_code",
            unique=True,
            postgresql_where=SENT,
            sqlite_where=SENT,
        ),
        Index(
            "uq_stripe_link_attempts_unfinished",
            "event_id",
            unique=True,
            postgresql_where=UNFINISHED,
            sqlite_where=UNFINISHED,
        ),
        Index("ix_stripe_link_attempts_event_id", "event_id", "id"),
        CheckConstraint(
            "outcome IN ('linked', 'refused', 'failed', 'interrupted', 'not-sent')", name="outcome"
        ),
        CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="finished"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    method: Mapped[str] = mapped_column(String(16), default="oauth", server_default="oauth")
    stripe_auth_code: Mapped[str | None] = mapped_column(String(64))
    livemode: Mapped[bool]
    state_checked: Mapped[bool]
    request_id: Mapped[int | None] = mapped_column(
        ForeignKey("stripe_authorization_requests.id", ondelete="SET NULL")
    )
    started_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    outcome: Mapped[str | None] = mapped_column(String(16))
    status: Mapped[int | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str | None] = mapped_column(String(1000))
    pointer: Mapped[str | None] = mapped_column(String(255))
    stripe_error: Mapped[str | None] = mapped_column(String(300))
    authorization_id: Mapped[int | None]
    reported_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    user: Mapped[User | None] = relationship()

    def __repr__(self) -> str:
        return f"<StripeLinkAttempt {self.id} {self.outcome or 'unfinished'}>"
