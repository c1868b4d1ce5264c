"""Deletes what is kept for a limited time, in batches."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import InstrumentedAttribute

from app.db.reads import read_time
from app.db.transactions import transaction
from app.models import (
    EndedSession,
    StripeAuthorizationRequest,
    StripeDeauthorization,
    StripeWebhookEvent,
)

BATCH = 1000  # rows in one transaction
A_DAY = timedelta(days=1)  # longer than any attempt that must know of a disconnection
WEBHOOKS = timedelta(days=30)  # how long Stripe may send an event again


def purge() -> int:
    """Delete what is outdated, and return how many rows that were."""
    now = read_time()
    return sum(_delete(key, condition) for key, condition in _outdated(now))


def _outdated(now: datetime) -> list[tuple[InstrumentedAttribute[Any], ColumnElement[bool]]]:
    return [
        (StripeAuthorizationRequest.id, StripeAuthorizationRequest.expires_at < now - A_DAY),
        (EndedSession.id, EndedSession.expires_at < now),
        (StripeDeauthorization.id, StripeDeauthorization.done_at < now - A_DAY),
        (StripeWebhookEvent.id, StripeWebhookEvent.received_at < now - WEBHOOKS),
    ]


def _delete(key: InstrumentedAttribute[Any], condition: ColumnElement[bool]) -> int:
    """Delete in batches; rows that another run is deleting right now are left to it."""
    batch = select(key).where(condition).limit(BATCH).with_for_update(skip_locked=True)
    statement = (
        delete(key.class_)
        .where(key.in_(batch))
        .returning(key)
        .execution_options(synchronize_session=False)
    )
    deleted = 0
    while True:
        with transaction() as session:
            gone = len(session.execute(statement).all())
        deleted += gone
        if gone < BATCH:
            return deleted
