"""Sessions: a sign-in and its tokens, which end together."""

import secrets
from datetime import timedelta
from typing import Any, Protocol

from flask_jwt_extended import create_access_token, create_refresh_token
from sqlalchemy import delete, select, update

from app.auth import failed_sign_ins, passwords
from app.auth.policy import Caller
from app.db.clock import database_now
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import Unauthenticated
from app.models import EndedSession, User

FRESH = timedelta(minutes=5)  # how long a password that was given counts
REFRESHABLE = timedelta(days=30)  # how long a refresh token works
LONGEST = REFRESHABLE + timedelta(days=2)  # no token of a session lives longer; a day to spare
PURGED_AT_ONCE = 1000


class Account(Protocol):
    """Whose tokens are issued: a user, or the caller of whom a token has told."""

    id: Any
    session_generation: Any


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
    return _verify(next(iter(found), None), password, email, address)


def sign_in_again(caller: Caller, password: str, address: str) -> None:
    """Check that *password* is the caller's own. Raises InvalidCredentials and RateLimited."""
    found = read(ACCOUNT.where(User.id == caller.id))
    _verify(next(iter(found), None), password, f"user {caller.id}", address)


def normalize_email(email: str) -> str:
    """Return *email* as it is kept and compared."""
    return email.strip().lower()


def _verify(account: Any, password: str, counted_as: str, address: str) -> Account:
    kept: str | None = account.password_hash if account else None
    counters = failed_sign_ins.passwords_for(counted_as), failed_sign_ins.passwords_from(address)
    with passwords.turn():
        failed_sign_ins.refuse_after_too_many(*counters)
        if not passwords.is_password(password, kept) or kept is None:
            failed_sign_ins.count(*counters)
            raise InvalidCredentials
    if passwords.is_outdated(kept):
        _rehash(account, password)
    return account


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
    """End the session of *caller*, with all its tokens and on every instance. Twice is as once."""
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


def new_session_id() -> str:
    """Return the id that all tokens of one sign-in share."""
    return secrets.token_hex(16)


def issue_access_token(account: Account, session_id: str, *, is_fresh: bool = False) -> str:
    """Return an access token for *account*; a fresh one says that the password was just given."""
    return create_access_token(
        account.id,
        fresh=FRESH if is_fresh else False,
        additional_claims={"jti": _token_id(account, session_id)},
    )


def issue_refresh_token(account: Account, session_id: str) -> str:
    """Return a token that gets further access tokens, as long as the session goes on."""
    return create_refresh_token(
        account.id,
        expires_delta=REFRESHABLE,
        additional_claims={"jti": _token_id(account, session_id)},
    )


def _token_id(account: Account, session_id: str) -> str:
    """A token names the generation of its user's sessions and its own session: both can end."""
    return f"{account.session_generation}.{session_id}.{secrets.token_hex(8)}"
