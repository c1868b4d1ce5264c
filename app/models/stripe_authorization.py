"""The link between an event and a Stripe account."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.clock import database_now
from app.db.types import UTCDateTime
from app.extensions import Model
from app.models.event import Event
from app.security.crypto import EncryptedText, Sealed, Secret


class StripeAuthorization(Model):
    """
    A connected account, kept for one event in one mode; the database allows one of each.

    `stripe_secret_key` is what OAuth calls the access token. `stripe_auth_code` is a keyed digest
    of the authorization code, never the code, and null where there was none. `method` says how the
    account was connected: by OAuth, as an account that was connected before, or by onboarding.
    `platform_account_id` is the platform's own account at Stripe, null until it is known: only a
    key of that platform tells whether the account is still connected.
    """

    __tablename__ = "stripe_authorizations"
    __table_args__ = (UniqueConstraint("event_id", "livemode"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    livemode: Mapped[bool]
    stripe_user_id: Mapped[str] = mapped_column(String(255), index=True)
    sealed_stripe_secret_key: Mapped[Sealed | None] = mapped_column(
        "stripe_secret_key", EncryptedText
    )
    sealed_stripe_refresh_token: Mapped[Sealed | None] = mapped_column(
        "stripe_refresh_token", EncryptedText
    )
    stripe_publishable_key: Mapped[str | None] = mapped_column(String(500))
    stripe_auth_code: Mapped[str | None] = mapped_column(String(64))
    method: Mapped[str] = mapped_column(String(16), default="oauth", server_default="oauth")
    scope: Mapped[str] = mapped_column(String(32))
    client_id: Mapped[str] = mapped_column(String(255))
    platform_account_id: Mapped[str | None] = mapped_column(String(255))
    linked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    linked_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    account_status: Mapped[str] = mapped_column(
        String(16), default="unknown", server_default="unknown"
    )
    display_name: Mapped[str | None] = mapped_column(String(300))
    country: Mapped[str | None] = mapped_column(String(300))
    account_checked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    event: Mapped[Event] = relationship()

    stripe_secret_key = Secret("sealed_stripe_secret_key")
    stripe_refresh_token = Secret("sealed_stripe_refresh_token")

    def secret_context(self, column: str) -> str:
        """Return what the secret in *column* is bound to: this event, mode and account."""
        bound_to = (self.event_id, self.livemode, self.stripe_user_id)
        if None in bound_to:
            raise ValueError("Event, mode and account must be set before a secret.")
        return (
            f"stripe_authorizations.{column}:{self.event_id}:{self.livemode}:{self.stripe_user_id}"
        )

    def __repr__(self) -> str:
        return f"<StripeAuthorization {self.id}>"
