"""Events that sell tickets, and who may do what with them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.clock import database_now
from app.db.types import UTCDateTime
from app.extensions import Model
from app.models.user import User


class Event(Model):
    """An event. Deleting is soft: `deleted_at` is set, and the row is never shown again."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'published')", name="state"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    identifier: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    timezone: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="draft", server_default="draft")
    payment_country: Mapped[str | None] = mapped_column(String(64))
    payment_currency: Mapped[str | None] = mapped_column(String(3))
    can_pay_by_stripe: Mapped[bool] = mapped_column(default=False, server_default=false())
    owner_name: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    roles: Mapped[list["UsersEventsRole"]] = relationship(back_populates="event")

    def __repr__(self) -> str:
        return f"<Event {self.id}>"


class UsersEventsRole(Model):
    """A role that a user has at an event: `owner` (the creator), `organizer` or `coorganizer`."""

    __tablename__ = "users_events_roles"
    __table_args__ = (
        UniqueConstraint("event_id", "user_id", "role"),
        CheckConstraint("role IN ('owner', 'organizer', 'coorganizer')", name="role"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(16))

    event: Mapped[Event] = relationship(back_populates="roles")
    user: Mapped[User] = relationship()
