"""What needs a person, told in one sentence each."""

from sqlalchemy import select, update

from app.db.clock import database_now
from app.db.reads import read
from app.db.transactions import transaction
from app.models import StripeDeauthorization, StripeLinkAttempt
from app.services.deauthorization.queries import IS_PENDING


def find_problems() -> list[str]:
    """Return a sentence for each thing that is stored and needs a person."""
    return [*_undeliverable(), *_interrupted_attempts()]


def rejected_account(account_id: str, livemode: bool, problem: str) -> str:
    """Return the sentence for an account that the platform's key could not read."""
    return f"Account {account_id} ({_mode(livemode)} mode) could not be checked: {problem}"


def _undeliverable() -> list[str]:
    row = StripeDeauthorization
    found = read(
        select(row.stripe_user_id, row.livemode, row.client_id, row.error_code)
        .where(IS_PENDING, row.needs_person)
        .order_by(row.id)
    )
    return [
        f"Account {each.stripe_user_id} ({_mode(each.livemode)} mode) could not be disconnected"
        f" from {each.client_id}: {each.error_code}. Check the platform's keys with 'stripe check',"
        " or disconnect it in the dashboard of that platform and confirm that with"
        f" 'stripe reconcile --forget {each.stripe_user_id}'."
        for each in found
    ]


def _interrupted_attempts() -> list[str]:
    """
    Return a sentence for each attempt that ended without an answer; each is reported once.

    Only an exchange can have connected an account that is not stored here.
    """
    row = StripeLinkAttempt
    with transaction() as session:
        found = session.execute(
            update(row)
            .where(row.outcome == "interrupted", row.method == "oauth", row.reported_at.is_(None))
            .values(reported_at=database_now())
            .returning(row.id, row.event_id, row.livemode, row.started_at)
            .execution_options(synchronize_session=False)
        ).all()
    return [
        f"Attempt {each.id} to link event {each.event_id} ({_mode(each.livemode)} mode, started"
        f" {each.started_at:%Y-%m-%d %H:%M} UTC) was interrupted. Stripe may have connected an"
        " account that is not stored here; if its id became known, the log has it as needs-person."
        for each in sorted(found)
    ]


def _mode(livemode: bool) -> str:
    return "live" if livemode else "test"
