"""What the tables of outboxes have in common."""

from datetime import datetime

from sqlalchemy import String, false
from sqlalchemy.orm import Mapped, mapped_column

from app.db.clock import database_now
from app.db.types import UTCDateTime


class OutboxRow:
    """
    A message to another server that is committed first and delivered afterwards.

    `enqueued_at` is when it was last found necessary; `claimed_until` ends the lease of the process
    that is delivering it right now; `sent_at` is until when the other server may have been reading
    it. How rows move is in `app/services/outbox.py`. A table that uses this adds its subject, and a
    partial index on `next_try_at`.
    """

    enqueued_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(UTCDateTime, default=database_now())
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    error_code: Mapped[str | None] = mapped_column(String(64))
    needs_person: Mapped[bool] = mapped_column(default=False, server_default=false())
