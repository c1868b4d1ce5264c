"""Sessions: a sign-in and its tokens, which end together."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update

from app.auth import passwords
from app.auth.policy import Caller
from app.auth.rate_limits import passwords_for, passwords_from, rate_limits
from app.auth.tokens import LIFETIMES, SessionUser
from app.db.clock import database_now
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import Unauthenticated
from app.models import EndedSession, User

LONGEST = max(LIFETIMES.values()) + timedelta(days=2)  # no token lives longer; a day to spare
PURGED_AT_ONCE = 1000


class InvalidCredentials(Unauthenticated):
    """There is no such user, or the password is wrong; the answer never says which."""

    is_plain = True

    def __init__(self) -> None:
        super().__init__("Invalid Credentials")


USER = select(User.id, User.password_hash, User.session_generation).where(
    ~User.is_blocked, User.deleted_at.is_(None)
)


def sign_in(email: str, password: str, address: str) -> SessionUser:
    """
    Return the user with *email* and *password*, who signs in from the network *address*.

    No connection to the database is held while the password is verified. Raises InvalidCredentials
    (after the same time, whatever is wrong) and RateLimited.
    """
    email = normalize_email(email)
    found = read(USER.where(User.email == email)) if email.isprintable() else ()
    user: Any = next(iter(found), None)
    _verify(user, password, _counted_as(user.id) if user else email, address)
    verified: SessionUser = user
    return verified


def sign_in_again(caller: Caller, password: str, address: str) -> None:
    """Check that *password* is the caller's own. Raises InvalidCredentials and RateLimited."""
    found = read(USER.where(User.id == caller.id))
    _verify(next(iter(found), None), password, _counted_as(caller.id), address)


def _counted_as(user_id: int | None) -> str:
    """Return what failures are counted by, at whichever door they happen."""
    return f"user {user_id}"


def normalize_email(email: str) -> str:
    """Return *email* as it is kept and compared."""
    return email.strip().lower()


def _verify(user: Any, password: str, counted_as: str, address: str) -> None:
    kept: str | None = user.password_hash if user else None
    limits, counters = rate_limits(), (passwords_for(counted_as), passwords_from(address))
    with passwords.admitted():
        limits.check(*counters)
        if not passwords.verify(password, kept) or kept is None:
            limits.count(*counters)
            raise InvalidCredentials
    if passwords.is_outdated(kept):
        _rehash(user, password)


def _rehash(user: Any, password: str) -> None:
    """Keep the password under today's parameters, unless it was changed meanwhile."""
    made = passwords.hash_again(password)
    with transaction() as session:
        session.execute(
            update(User)
            .where(User.id == user.id, User.password_hash == user.password_hash)
            .values(password_hash=made)
        )


def end_session(caller: Caller) -> None:
    """End the session of *caller*, with all its tokens and on every instance. Idempotent."""
    with transaction() as session:
        session.get(User, caller.id, with_for_update={"key_share": True})  # one after the other
        _purge(session)
        if session.get(EndedSession, caller.session_id) is None:
            expires_at = session.scalar(select(database_now())) + LONGEST
            session.add(
                EndedSession(id=caller.session_id, user_id=caller.id, expires_at=expires_at)
            )


def _purge(session: Any) -> None:
    """Delete ended sessions whose tokens have all expired, except those under another purge."""
    expired = (
        select(EndedSession.id)
        .where(EndedSession.expires_at < database_now())
        .limit(PURGED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    session.execute(
        delete(EndedSession)
        .where(EndedSession.id.in_(expired))
        .execution_options(synchronize_session=False)
    )
