"""User accounts: who is shown to whom, and what an operator does to them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.exc import IntegrityError

from app.auth import passwords
from app.auth.policy import ADMIN, Caller, Role
from app.auth.sessions import normalize_email
from app.db.clock import database_now
from app.db.pages import Page
from app.db.transactions import transaction
from app.errors import Conflict, Forbidden, NotFound
from app.extensions import db
from app.models import User
from app.services import audit
from app.services.identifiers import read_id

LONGEST_EMAIL = 254  # RFC 5321, as corrected by erratum 1690


class UserExists(Exception):
    """The e-mail address belongs to a user already."""


class UnknownUser(Exception):
    """No user has this e-mail address."""


class LastAdministrator(Exception):
    """This is the last administrator."""


class NotAnEmail(ValueError):
    """This is not an e-mail address."""


SHOWN = ("id", "email", "is_admin", "is_super_admin", "is_verified", "created_at")


@dataclass(frozen=True, slots=True)
class UserView:
    """A user as a caller with *role* sees them: a colleague, the user themselves, an admin."""

    id: int
    email: str
    is_admin: bool
    is_super_admin: bool
    is_verified: bool
    created_at: datetime
    role: Role


@dataclass(frozen=True, slots=True)
class ListedUser:
    """A user as administrators find them."""

    id: int
    email: str
    is_admin: bool
    is_blocked: bool
    created_at: datetime


def view_of(user: User | Row[Any], role: Role) -> UserView:
    """Return *user*, a row with the columns SHOWN, as a caller with *role* sees it."""
    return UserView(**{name: getattr(user, name) for name in SHOWN}, role=role)


def read_user(reference: str, caller: Caller) -> UserView:
    """
    Return the user that *reference* names, an id or `me`, with everything *caller* may see of them.

    Raises Forbidden unless it is the caller, or the caller is an admin; NotFound, to an admin.
    """
    user_id = caller.id if reference == "me" else read_id(reference)
    if user_id != caller.id and not caller.is_admin:
        raise Forbidden("Only administrators can see other users.")
    user = db.session.get(User, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound("There is no such user.")
    return view_of(user, ADMIN)


def create_user(email: str, password: str, *, is_admin: bool = False) -> User:
    """
    Create a verified user. Raises UserExists, NotAnEmail, passwords.Unacceptable.
    """
    email = normalize_email(email)
    check_email(email)
    passwords.check_new(password)
    user = User(
        email=email,
        password_hash=passwords.make_hash(password),
        is_admin=is_admin,
        is_verified=True,
    )
    try:
        with transaction() as session:
            if session.scalar(select(User.id).where(User.email == email)) is not None:
                raise UserExists(email)
            session.add(user)
            session.flush()
            audit.record("user.create", f"user {user.id}")
    except IntegrityError:  # created by another request just now
        raise UserExists(email) from None
    return user


def check_email(email: str) -> None:
    """
    Raise NotAnEmail for what cannot be an address; whether mail arrives there is not checked.
    """
    email = normalize_email(email)
    local, at, domain = email.rpartition("@")
    sane = local and domain and "@" not in local and len(email) <= LONGEST_EMAIL
    if not sane or not email.isprintable() or any(map(str.isspace, email)):
        raise NotAnEmail(email)


def change_password(email: str, password: str) -> User:
    """Give the user another password and end their sessions. Raises UnknownUser, Unacceptable."""
    passwords.check_new(password)
    made = passwords.make_hash(password)
    with transaction():
        user = _lock_user(email)
        user.password_hash = made
        user.password_changed_at = database_now()
        _end_sessions(user)
        audit.record("user.password", f"user {user.id}")
    return user


def block_user(email: str, by: int | None = None) -> User:
    """
    Block the user and end their sessions, on every instance. *by* is the administrator who
    does it, None for a command. Raises UnknownUser, and Conflict for oneself.
    """
    with transaction():
        user = _lock_user(email)
        if user.id == by:
            raise Conflict("You cannot block yourself.")
        user.is_blocked = True
        _end_sessions(user)
        audit.record("user.block", f"user {user.id}", user_id=by)
    return user


def unblock_user(email: str, by: int | None = None) -> User:
    """Let the user sign in again; sessions that ended stay so. Raises UnknownUser."""
    with transaction():
        user = _lock_user(email)
        user.is_blocked = False
        audit.record("user.unblock", f"user {user.id}", user_id=by)
    return user


def list_users(caller: Caller, page: Page, email: str = "") -> tuple[int, list[ListedUser]]:
    """
    Return how many users have *email* in their address, and a page of them.

    Raises Forbidden unless *caller* is an administrator.
    """
    if not caller.is_admin:
        raise Forbidden("Only administrators can see other users.")
    there: list[ColumnElement[bool]] = [User.deleted_at.is_(None)]
    if email:
        there.append(User.email.contains(normalize_email(email), autoescape=True))
    count = db.session.scalar(select(func.count()).select_from(User).where(*there))
    is_admin = or_(User.is_admin, User.is_super_admin)
    found = select(User.id, User.email, is_admin, User.is_blocked, User.created_at).where(*there)
    rows = db.session.execute(page.of(found, User.email))
    return count or 0, [ListedUser(*row) for row in rows]


def grant_admin(email: str) -> User:
    """Make the user an administrator. Raises UnknownUser."""
    with transaction():
        user = _lock_user(email)
        user.is_admin = True
        audit.record("user.grant-admin", f"user {user.id}")
    return user


def revoke_admin(email: str) -> User:
    """
    Take the rights of an administrator from the user. Raises UnknownUser, LastAdministrator.

    One who may sign in stays: all of them are locked, in one order, so also if two are revoked at
    once.
    """
    active = (User.is_blocked.is_(False), User.deleted_at.is_(None))
    admins = select(User.id).where(User.is_admin | User.is_super_admin, *active).order_by(User.id)
    with transaction() as session:
        able = set(session.scalars(admins.with_for_update()))
        user = _lock_user(email)
        if not able - {user.id}:
            raise LastAdministrator(user.email)
        user.is_admin = user.is_super_admin = False
        audit.record("user.revoke-admin", f"user {user.id}")
    return user


def _lock_user(email: str) -> User:
    email = normalize_email(email)
    statement = select(User).where(User.email == email, User.deleted_at.is_(None))
    user: User | None = db.session.scalar(
        statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    )
    if user is None:
        raise UnknownUser(email)
    return user


def _end_sessions(user: User) -> None:
    """Every token names the generation that was current when it was issued."""
    user.session_generation += 1
    user.sessions_ended_at = database_now()
