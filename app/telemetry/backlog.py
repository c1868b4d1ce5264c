"""What is pending, read from the database whenever metrics are scraped."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from app.db.clock import database_now
from app.db.reads import read
from app.models import PaymentIntent, StripeDeauthorization, StripeMirror

# By kind: how many entries are pending, since when the oldest, and how many need a person.
PENDING: dict[str, Select[*tuple[Any, ...]]] = {
    "deauthorization": select(
        func.count(),
        func.min(StripeDeauthorization.enqueued_at),
        func.count().filter(StripeDeauthorization.needs_person),
    ).where(StripeDeauthorization.done_at.is_(None)),
    "payment": select(
        func.count(),
        func.min(PaymentIntent.created_at),
        func.count().filter(PaymentIntent.needs_person),
    ).where(PaymentIntent.outcome.is_(None)),
    "mirror": select(
        func.count(),
        func.min(StripeMirror.enqueued_at),
        func.count().filter(StripeMirror.needs_person),
    ).where(StripeMirror.done_at.is_(None)),
}


@dataclass(frozen=True)
class Backlog:
    """How many entries of a *kind* are pending, and the age of the oldest in seconds."""

    kind: str
    pending: int
    oldest: float
    needs_person: int


def read_backlogs() -> list[Backlog]:
    """Return every backlog there is. Raises SQLAlchemyError if the database is away."""
    now = read(select(database_now()))[0][0]
    found = []
    for kind, statement in PENDING.items():
        row: Any = read(statement)[0]
        pending, since, needs_person = row
        oldest = max(0.0, (now - since).total_seconds()) if since else 0.0
        found.append(Backlog(kind, pending, oldest, needs_person))
    return found
