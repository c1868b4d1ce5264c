"""
Who may do what: roles, rights, and the caller who has them. Knows no web framework.

`app/routes.py` names one of these rights for every method of every address. The same object is
asked where the role at an event is known, so that table and check cannot disagree.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, case, false, func, select, true

from app.errors import Forbidden
from app.models import UsersEventsRole


class Role(IntEnum):
    """What a caller is to an event (or, for ANYONE, USER and ADMIN, to the platform)."""

    ANYONE = 0
    USER = 1
    COORGANIZER = 2
    ORGANIZER = 3
    OWNER = 4
    ADMIN = 5


ANYONE, USER, COORGANIZER, ORGANIZER, OWNER, ADMIN = Role

WHO = {
    COORGANIZER: "people who work at the event",
    ORGANIZER: "organizers and owners of the event",
    OWNER: "owners of the event",
    ADMIN: "administrators",
}


@dataclass(frozen=True)
class Right:
    """
    The *least* role that something takes; *action* completes "Only organizers can …".

    A service token may do it with one of *scopes*, and what is public; nothing else.
    """

    least: Role
    action: str = "do this"
    scopes: frozenset[str] = frozenset()

    def refusal(self) -> Forbidden:
        """Return the error for a caller whose role is not enough."""
        return Forbidden(f"Only {WHO.get(self.least, 'users')} can {self.action}.")


PUBLIC = Right(ANYONE)  # of a draft event, whatever is public of it starts at COORGANIZER (404)
SIGNED_IN = Right(USER)
LIST_LINKS = Right(USER, scopes=frozenset({"read"}))
WORK_AT_EVENT = Right(COORGANIZER, "see this page")
EDIT_EVENT = Right(COORGANIZER, "change the event")
DELETE_EVENT = Right(OWNER, "delete the event")
MANAGE_TEAM = Right(OWNER, "see and change who works at the event")
CONNECT = Right(ORGANIZER, "connect a Stripe account")
DISCONNECT = Right(ORGANIZER, "disconnect the Stripe account")
READ_HISTORY = Right(ORGANIZER, "see the history of connections")
READ_PAYMENTS = Right(COORGANIZER, "see the payments", frozenset({"read", "payments"}))
PAY = Right(ORGANIZER, "create and cancel test payments", frozenset({"payments"}))
PAY_LIVE = Right(ADMIN, "create and cancel live payments")
CHANGE_SETTINGS = Right(ADMIN, "change the settings")
CHECK_PLATFORM = Right(ADMIN, "check the platform's keys")
SEE_LINKS = Right(ADMIN, "see every link")
MANAGE_USERS = Right(ADMIN, "see and block users")
READ_AUDIT_TRAIL = Right(ADMIN, "read the audit trail")


@dataclass(frozen=True)
class Caller:
    """
    Who is asking. `id` is None for anonymous callers and for programs; a program has a service
    token with *scopes*, for all events or for those of *event_ids*.
    """

    id: int | None = None
    is_admin: bool = False
    session_id: str | None = None
    session_generation: int | None = None
    is_fresh: bool = False
    service_token_id: int | None = None
    scopes: frozenset[str] = frozenset()
    event_ids: frozenset[int] | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether no token was sent."""
        return self.id is None and not self.is_service

    @property
    def is_service(self) -> bool:
        """Whether it is a program with a service token."""
        return self.service_token_id is not None

    def covers(self, event_id: int) -> bool:
        """Return whether a service token is good for the event."""
        return self.is_service and (self.event_ids is None or event_id in self.event_ids)

    def for_payments(self) -> "Caller":
        """Return the caller as payments see it: a token that may pay may read what it paid."""
        is_payer = "payments" in self.scopes
        return replace(self, scopes=self.scopes | {"read"}) if is_payer else self

    def role(self, event_id: int | None = None, rank: int | None = None) -> Role:
        """Return what the caller is, to the event at which they have the role of *rank*."""
        if self.is_admin:
            return ADMIN
        if event_id is not None and "read" in self.scopes and self.covers(event_id):
            return COORGANIZER
        if rank is not None:
            return Role(rank)
        return ANYONE if self.is_anonymous else USER


def require(role: Role, right: Right) -> None:
    """Raise Forbidden, saying who may, if *role* does not have *right*."""
    if role < right.least:
        raise right.refusal()


def require_payment(event_id: int, role: Role, caller: Caller, *, livemode: bool) -> None:
    """
    Raise Forbidden unless *caller*, who is *role* at the event, may create and cancel payments.

    Organizers may in test mode alone: live payments are the ticketing server's.
    """
    if caller.is_service:
        if "payments" not in caller.scopes or not caller.covers(event_id):
            raise Forbidden("This service token is not good for payments of this event.")
        return
    require(role, PAY_LIVE if livemode else PAY)


def works_at(event_id: Any, caller: Caller) -> ColumnElement[bool]:
    """Return the condition that *caller* is coorganizer of an event, or more."""
    if not caller.is_service:
        return has_role(event_id, caller.id)
    if "read" not in caller.scopes:
        return false()
    covered: ColumnElement[bool] = (
        true() if caller.event_ids is None else event_id.in_(caller.event_ids)
    )
    return covered


def role_rank(event_id: Any, user_id: Any) -> ColumnElement[int | None]:
    """Return, as part of a SELECT, the highest role that *user_id* has at *event_id*."""
    rank = case(
        (UsersEventsRole.role == "owner", int(OWNER)),
        (UsersEventsRole.role == "organizer", int(ORGANIZER)),
        else_=int(COORGANIZER),
    )
    return (
        select(func.max(rank))
        .where(UsersEventsRole.event_id == event_id, UsersEventsRole.user_id == user_id)
        .scalar_subquery()
    )


def has_role(event_id: Any, user_id: Any) -> ColumnElement[bool]:
    """
    Return the condition that *user_id* has a role at *event_id*.

    For many events it is far cheaper than a rank that is not null: the roles are looked up once.
    """
    condition: ColumnElement[bool] = event_id.in_(
        select(UsersEventsRole.event_id).where(UsersEventsRole.user_id == user_id)
    )
    return condition
