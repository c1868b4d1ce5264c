"""Revealing one of the platform's secrets: to an administrator, seldom, and never unrecorded."""

from collections.abc import Sequence
from datetime import timedelta
from math import ceil

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth.policy import Caller
from app.db.clock import current_time
from app.db.transactions import transaction
from app.errors import BadParameter, Forbidden, RateLimited, Unauthenticated
from app.models import AuditEntry, User
from app.security.crypto import cipher
from app.services import audit
from app.services.platform.settings import CONTEXTS, SECRET_KEYS, STORED, SettingsView, to_view

ACTION = "settings.reveal"
MOST = 5
WINDOW = timedelta(hours=1)
ATTRIBUTES = {name.replace("_", "-"): name for name in SECRET_KEYS}


def reveal_secret(wanted: Sequence[str], caller: Caller) -> SettingsView:
    """
    Return the settings with the one secret that *wanted* names (`["stripe-secret-key"]`) in clear.

    That is recorded, and committed, before this returns; at most MOST times in WINDOW for an
    administrator, over all instances. A secret that is not set stays None: nothing is revealed, and
    nothing recorded. Raises Unauthenticated, Forbidden (no administrator, or the password was not
    given lately), BadParameter, RateLimited, and SecretUnreadable, which is not counted.
    """
    _check_caller(caller)
    if len(wanted) != 1 or wanted[0] not in ATTRIBUTES:
        known = ", ".join(ATTRIBUTES)
        raise BadParameter(f"Name one secret to reveal: {known}.", parameter="reveal")
    attribute, name = wanted[0], ATTRIBUTES[wanted[0]]
    with transaction() as session:
        _check_limit(session, caller)
        stored = session.execute(STORED.select).one()
        sealed = getattr(stored, name)
        if sealed is None:
            return to_view(stored, caller)
        clear = cipher().open(sealed, CONTEXTS[name])
        audit.record(ACTION, attribute, user_id=caller.id)
    return to_view(stored, caller, {name: clear})


def _check_caller(caller: Caller) -> None:
    if caller.is_anonymous:
        raise Unauthenticated
    if not caller.is_admin:
        raise Forbidden("Only administrators can see secrets.")
    if not caller.is_fresh:
        raise Forbidden("Enter your password again to see secrets.")


def _check_limit(session: Session, caller: Caller) -> None:
    """Raise RateLimited after MOST times. The user's lock keeps others from counting meanwhile."""
    session.execute(select(User.id).where(User.id == caller.id).with_for_update(key_share=True))
    now = current_time(session)
    recent = session.scalars(
        select(AuditEntry.at)
        .where(
            AuditEntry.user_id == caller.id,
            AuditEntry.action == ACTION,
            AuditEntry.at > now - WINDOW,
        )
        .order_by(AuditEntry.at.desc())
        .limit(MOST)
    ).all()
    if len(recent) == MOST:
        seconds = max(1, ceil((recent[-1] + WINDOW - now).total_seconds()))
        raise RateLimited(
            f"You can reveal secrets {MOST} times an hour. Please try again later.",
            headers={"Retry-After": str(seconds)},
        )
