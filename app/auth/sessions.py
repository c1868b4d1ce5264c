"""Sessions: a sign-in and its tokens, which end together."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update

from app.auth import passwords
from app.auth.policy import Caller
from app.auth.rate_limits import passwords_for, passwords_from, rate_limits
from app.auth.tokens import LIFETIMES, Account
from app.db.clock import database_now
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import Unauthenticated
from app.models import EndedSession, User

LONGEST = max(LIFETIMES.values()) + timedelta(days=2)  # no token lives longer; a day to spare
PURGED_AT_ONCE = 1000


class InvalidCredentials(Unauthenticated):
    """There is no such account, or its password is another one: nobody is told which."""

    is_plain = True

    def __init__(self) -> None:
        super().__init__("Invalid Credentials")


ACCOUNT = select(User.id, User.password_hash, User.session_generation).where(
    ~User.is_blocked, User.deleted_at.is_(None)
)


def sign_in(email: str, password: str, address: str) -> Account:
    """
    Return the account that *email* and *password* open, for somebody at the network *address*.

    No connection to the database is held while the password is verified. Raises InvalidCredentials
    (after the same time, whatever is wrong) and RateLimited.
    """
    email = normalize_email(email)
    found = read(ACCOUNT.where(User.email == email)) if email.isprintable() else ()
    account: Any = next(iter(found), None)
    _verify(account, password, _counted_as(account.id) if account else email, address)
    verified: Account = account
    return verified


def sign_in_again(caller: Caller, password: str, address: str) -> None:
    """Check that *password* is the caller's own. Raises InvalidCredentials and RateLimited."""
    found = read(ACCOUNT.where(User.id == caller.id))
    _verify(next(iter(found), None), password, _counted_as(caller.id), address)


def _counted_as(user_id: int | None) -> str:
    """Return what failures are counted by, at whichever door they happen."""
    return f"user {user_id}"


def normalize_email(email: str) -> str:
    """Return *email* as it is kept and compared."""
    return email.strip().lower()


def _verify(account: Any, password: str, counted_as: str, address: str) -> None:
    kept: str | None = account.password_hash if account else None
    limits, counters = rate_limits(), (passwords_for(counted_as), passwords_from(address))
    with passwords.admitted():
        limits.check(*counters)
        if not passwords.verify(password, kept) or kept is None:
            limits.count(*counters)
            raise InvalidCredentials
    if passwords.is_outdated(kept):
        _rehash(account, password)


def _rehash(account: Any, password: str) -> None:
    """Keep the password under today's parameters, unless it was changed meanwhile."""
    made = passwords.hash_again(password)
    with transaction() as session:
        session.execute(
            update(User)
            .where(User.id == account.id, User.password_hash == account.password_hash)
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
    """Forget ended sessions whose tokens have all expired, but for those under another purge."""
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
