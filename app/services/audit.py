"""The audit trail: one entry per deed, written in the transaction that does it."""

import structlog

from app.extensions import db
from app.models import AuditEntry


def record(
    action: str, subject: str, *, user_id: int | None = None, event_id: int | None = None
) -> None:
    """
    Add an entry to the current transaction: *user_id* did *action* to *subject*.

    Neither may hold a secret. *user_id* is None where Stripe or a command acted.
    """
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    db.session.add(
        AuditEntry(
            action=action,
            subject=subject,
            user_id=user_id,
            event_id=event_id,
            request_id=request_id,
        )
    )
