"""What Open Event Server's database is to hold of our links, event by event."""

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.outbox import OutboxRow

PENDING = text("done_at IS NULL")


class StripeMirror(OutboxRow, Model):
    """
    A message to Open Event Server's database: write there what is linked to the event by now.

    One row per event. It says only that something changed, never what: delivering reads the state
    of that moment. *problem* says why the event is not mirrored although it is linked here.
    """

    __tablename__ = "stripe_mirrors"
    __table_args__ = (
        Index(
            "ix_stripe_mirrors_next_try_at",
            "next_try_at",
            postgresql_where=PENDING,
            sqlite_where=PENDING,
        ),
    )

    event_id: Mapped[int] = mapped_column(
        ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    problem: Mapped[str | None] = mapped_column(String(64))

    def __repr__(self) -> str:
        return f"<StripeMirror {self.event_id}>"
