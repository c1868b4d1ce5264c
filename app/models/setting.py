"""The platform's registration at Stripe: one row."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import UTCDateTime
from app.extensions import Model
from app.security.crypto import EncryptedText, Sealed, Secret


class Setting(Model):
    """
    The one row of platform settings.

    The public keys are sealed like the secret ones, not to hide but to authenticate them: write
    access to the database alone cannot send organizers to another platform.
    """

    __tablename__ = "settings"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("stripe_mode IN ('debug', 'production')", name="stripe_mode"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    stripe_mode: Mapped[str] = mapped_column(String(16), default="debug", server_default="debug")
    stripe_connect_method: Mapped[str] = mapped_column(
        String(16), default="oauth", server_default="oauth"
    )
    updated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    sealed_stripe_client_id: Mapped[Sealed | None] = mapped_column(
        "stripe_client_id", EncryptedText
    )
    sealed_stripe_secret_key: Mapped[Sealed | None] = mapped_column(
        "stripe_secret_key", EncryptedText
    )
    sealed_stripe_publishable_key: Mapped[Sealed | None] = mapped_column(
        "stripe_publishable_key", EncryptedText
    )
    sealed_stripe_webhook_secret: Mapped[Sealed | None] = mapped_column(
        "stripe_webhook_secret", EncryptedText
    )
    sealed_stripe_test_client_id: Mapped[Sealed | None] = mapped_column(
        "stripe_test_client_id", EncryptedText
    )
    sealed_stripe_test_secret_key: Mapped[Sealed | None] = mapped_column(
        "stripe_test_secret_key", EncryptedText
    )
    sealed_stripe_test_publishable_key: Mapped[Sealed | None] = mapped_column(
        "stripe_test_publishable_key", EncryptedText
    )
    sealed_stripe_test_webhook_secret: Mapped[Sealed | None] = mapped_column(
        "stripe_test_webhook_secret", EncryptedText
    )
    sealed_code_digest_key: Mapped[Sealed | None] = mapped_column("code_digest_key", EncryptedText)

    stripe_client_id = Secret("sealed_stripe_client_id")
    stripe_secret_key = Secret("sealed_stripe_secret_key")
    stripe_publishable_key = Secret("sealed_stripe_publishable_key")
    stripe_webhook_secret = Secret("sealed_stripe_webhook_secret")
    stripe_test_client_id = Secret("sealed_stripe_test_client_id")
    stripe_test_secret_key = Secret("sealed_stripe_test_secret_key")
    stripe_test_publishable_key = Secret("sealed_stripe_test_publishable_key")
    stripe_test_webhook_secret = Secret("sealed_stripe_test_webhook_secret")
    code_digest_key = Secret("sealed_code_digest_key")

    @property
    def livemode(self) -> bool:
        """Whether the current mode is live. `stripe-mode` alone decides it."""
        return self.stripe_mode == "production"

    def secret_context(self, column: str) -> str:
        """Return what the secret in *column* is bound to."""
        return f"settings.{column}"

    def __repr__(self) -> str:
        return f"<Setting {self.stripe_mode}>"
