"""Roles: who works with whom at an event."""

from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.auth.policy import MANAGE_TEAM, WORK_AT_EVENT, Caller, require
from app.auth.rate_limits import rate_limits, users_asked_for_by
from app.auth.sessions import normalize_email
from app.db.pages import Page
from app.db.transactions import transaction
from app.errors import Conflict, Invalid, NotFound
from app.extensions import db
from app.models import User, UsersEventsRole
from app.services import audit
from app.services.events.queries import find_event, lock_event
from app.services.events.theirs import refuse_managed_there
from app.services.events.views import EventView, FoundEvent, RoleView
from app.services.identifiers import read_id
from app.services.users import view_of


def list_roles(event_reference: str, caller: Caller, page: Page) -> tuple[int, list[RoleView]]:
    """Return how many roles there are at the event, and a page. Raises NotFound, Forbidden."""
    event = find_event(event_reference, caller)
    require(event.role, MANAGE_TEAM)
    conditions = [UsersEventsRole.event_id == event.id, *page.filters]
    count = db.session.scalar(select(func.count()).select_from(UsersEventsRole).where(*conditions))
    statement: Any = select(UsersEventsRole, User).join(User, User.id == UsersEventsRole.user_id)
    rows = db.session.execute(page.of(statement.where(*conditions), UsersEventsRole.id))
    return count or 0, [_to_view(given, user, event) for given, user in rows]


def list_team(event: EventView) -> list[RoleView]:
    """Return every role at *event*. Raises Forbidden: colleagues know each other, others do not."""
    require(event.role, WORK_AT_EVENT)
    rows = db.session.execute(
        select(UsersEventsRole, User)
        .join(User, User.id == UsersEventsRole.user_id)
        .where(UsersEventsRole.event_id == event.id)
        .order_by(UsersEventsRole.id)
    )
    return [_to_view(given, user, event) for given, user in rows]


def _to_view(given: UsersEventsRole, user: User, event: FoundEvent | EventView) -> RoleView:
    return RoleView(given.id, given.role, view_of(user, event.role), event)


def give_role(
    event_reference: str,
    caller: Caller,
    *,
    role: str,
    user_reference: str | None,
    email: str | None,
) -> RoleView:
    """
    Give *role* at the event to the user of that id or e-mail address.

    Raises Invalid if neither is given or there is no such user, NotFound and Forbidden about the
    event, Conflict if the user has the role or the team is managed in Open Event Server, and
    RateLimited for too many users that do not exist.
    """
    if user_reference is None and email is None:
        raise Invalid("Name the user by relationship or by e-mail.", field="user")
    user_id = _find_user(caller, user_reference, email)
    with transaction() as session:
        event, _ = lock_event(event_reference, caller, field="event")
        require(event.role, MANAGE_TEAM)
        refuse_managed_there(event.id)
        if user_id is None:
            field = "email" if user_reference is None else "user"
            raise Invalid("There is no such user. Ask them to sign up first.", field=field)
        if _find_role(session, event.id, user_id, role) is not None:
            raise Conflict(f"This user already has the role {role}.", field="user")
        given = UsersEventsRole(event_id=event.id, user_id=user_id, role=role)
        session.add(given)
        _record("create", given, caller)
        user = session.get_one(User, user_id)
    return _to_view(given, user, event)


def _find_user(caller: Caller, user_reference: str | None, email: str | None) -> int | None:
    """
    Return the id of the user who is meant, or None if there is no such user.

    Anyone who owns an event can learn here which addresses have accounts. That is the price of
    naming people by address; the misses are counted, so that nobody learns it of many.
    """
    limits, counter = rate_limits(), users_asked_for_by(caller.id)
    limits.check(counter)
    statement = select(User.id).where(User.deleted_at.is_(None), ~User.is_blocked)
    if user_reference is not None:
        statement = statement.where(User.id == read_id(user_reference))
    if email is not None:
        statement = statement.where(User.email == normalize_email(email))
    user_id = db.session.scalar(statement)
    if user_id is None and not caller.is_admin:
        limits.count(counter)
    return user_id


def take_role(reference: str, caller: Caller) -> None:
    """
    Take a role away; its rights end with the next request.

    Raises NotFound, Forbidden, and Conflict if the event would have no owner any more or its team
    is managed in Open Event Server.
    """
    with transaction() as session:
        given = session.get(UsersEventsRole, read_id(reference))
        if given is None:
            raise NotFound("There is no such role.")
        event, _ = lock_event(str(given.event_id), caller)
        require(event.role, MANAGE_TEAM)
        refuse_managed_there(event.id)
        given = session.get(UsersEventsRole, given.id, populate_existing=True)
        if given is None:
            raise NotFound("There is no such role.")
        if given.role == "owner" and not _has_another_owner(session, given):
            raise Conflict("The event must keep an owner. Make someone else its owner first.")
        _record("delete", given, caller)
        session.delete(given)


def _find_role(session: Session, event_id: int, user_id: int, role: str) -> int | None:
    statement = _roles(event_id).where(
        UsersEventsRole.user_id == user_id, UsersEventsRole.role == role
    )
    found: int | None = session.scalar(statement)
    return found


def _has_another_owner(session: Session, given: UsersEventsRole) -> bool:
    """Whether another user owns the event; a deleted user does not count as an owner."""
    others = (
        _roles(given.event_id)
        .join(User, User.id == UsersEventsRole.user_id)
        .where(
            UsersEventsRole.role == "owner",
            UsersEventsRole.user_id != given.user_id,
            User.deleted_at.is_(None),
        )
    )
    return session.scalar(others.limit(1)) is not None


def _roles(event_id: int) -> Select[Any]:
    return select(UsersEventsRole.id).where(UsersEventsRole.event_id == event_id)


def _record(action: str, given: UsersEventsRole, caller: Caller) -> None:
    audit.record(
        f"users-events-role.{action}",
        f"user {given.user_id} as {given.role}",
        user_id=caller.id,
        event_id=given.event_id,
    )
