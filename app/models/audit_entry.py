"""Who linked, unlinked, revealed, or changed which key or role. Nothing here is ever changed."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.clock import database_now
from app.db.types import UTCDateTime
from app.extensions import Model


class AuditEntry(Model):
    """
    An action. A trigger refuses every UPDATE and DELETE; no foreign keys, so that an entry outlives
    what it speaks of. *user_id* is empty where Stripe or a command acted.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_user_id_action_at", "user_id", "action", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    user_id: Mapped[int | None]
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(255))
    event_id: Mapped[int | None]
    request_id: Mapped[str | None] = mapped_column(String(64))
