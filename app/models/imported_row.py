"""What was brought from Open Event Server: enough to tell what has changed there from what here."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.clock import database_now
from app.db.types import UTCDateTime
from app.extensions import Model


class ImportedRow(Model):
    """
    A row of ours that came from Open Event Server, by the *source* table's name and the id.

    It outlives the row it speaks of, so that a link that was disconnected here does not come back.
    `digests` holds a keyed digest of every value as it was brought, never a value. `read_at` is
    when theirs was last read.
    """

    __tablename__ = "imported_rows"

    source: Mapped[str] = mapped_column(String(32), primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digests: Mapped[str] = mapped_column(Text)
    read_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())

    def __repr__(self) -> str:
        return f"<ImportedRow {self.source} {self.id}>"


class ImportedRole(Model):
    """
    A role that was brought from Open Event Server, whether or not it was taken away here since.
    """

    __tablename__ = "imported_roles"

    event_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
