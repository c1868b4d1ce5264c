"""The audit trail: one entry per deed, written in the transaction that does it."""

import structlog
from sqlalchemy import func, select

from app.auth.policy import Caller
from app.db.pages import Page
from app.errors import Forbidden
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


def list_entries(caller: Caller, page: Page) -> tuple[int, list[AuditEntry]]:
    """
    Return how many entries *page*'s conditions leave, and a page of them, newest first.

    Raises Forbidden unless *caller* is an administrator.
    """
    if not caller.is_admin:
        raise Forbidden("Only an administrator may read the audit trail.")
    count = db.session.scalar(select(func.count()).select_from(AuditEntry).where(*page.filters))
    found = select(AuditEntry).where(*page.filters)
    return count or 0, list(db.session.scalars(page.of(found, AuditEntry.id.desc())))
