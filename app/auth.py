"""
Who is asking, and what they may do.

`RIGHTS` below is the whole of it: the code asks this table, and the tests are generated from it. A
route that is not in it is refused.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from flask import Flask, g, request
from sqlalchemy import ColumnElement, bindparam, case, exists, func, or_, select

from app.database import Prepared, read
from app.errors import Forbidden, Internal, Unauthenticated
from app.models import EndedSession, User, UsersEventsRole
from app.tokens import read_token


class Role(IntEnum):
    """What somebody is to an event (or, for ANYONE, USER and ADMIN, to the platform)."""

    ANYONE = 0
    USER = 1
    COORGANIZER = 2
    ORGANIZER = 3
    OWNER = 4
    ADMIN = 5


ANYONE, USER, COORGANIZER, ORGANIZER, OWNER, ADMIN = Role

# The least role for each endpoint. Where a route is about an event, two rules come first: an event
# that was deleted is there for nobody, and a draft only from COORGANIZER up (404, not 403).
RIGHTS = {
    "GET /health/live": ANYONE,
    "GET /health/ready": ANYONE,
    "POST /auth/session": ANYONE,
    "POST /v1/auth/login": ANYONE,
    "POST /v1/auth/token/refresh": ANYONE,  # asks for a refresh token by itself
    "POST /v1/auth/logout": ANYONE,  # asks for any token by itself
    "POST /v1/auth/fresh-login": USER,
    "GET /v1/users/<user>": USER,  # oneself, or ADMIN
    "GET /v1/settings": ANYONE,  # the public part; ADMIN sees all
    "GET /v1/settings/<setting>": ANYONE,
    "PATCH /v1/settings": ADMIN,
    "PATCH /v1/settings/<setting>": ADMIN,
    "GET /v1/events": ANYONE,  # published ones and one's own
    "POST /v1/events": USER,
    "GET /v1/events/<event>": ANYONE,
    "PATCH /v1/events/<event>": COORGANIZER,
    "DELETE /v1/events/<event>": OWNER,
    "GET /v1/events/<event>/users-events-roles": OWNER,
    "POST /v1/users-events-roles": OWNER,
    "DELETE /v1/users-events-roles/<role>": OWNER,
    "GET /v1/stripe-authorizations": USER,  # those at whose event one is COORGANIZER
    "POST /v1/stripe-authorizations": ORGANIZER,
    "GET /v1/stripe-authorizations/<authorization>": ANYONE,  # the private part: COORGANIZER
    "PATCH /v1/stripe-authorizations/<authorization>": ORGANIZER,
    "DELETE /v1/stripe-authorizations/<authorization>": ORGANIZER,
    "GET /v1/stripe-authorizations/<authorization>/event": ANYONE,
    "GET /v1/stripe-authorizations/<authorization>/relationships/event": ANYONE,
    "GET /v1/events/<event>/stripe-authorization": ANYONE,
    "PATCH /v1/events/<event>/stripe-authorization": ORGANIZER,
    "DELETE /v1/events/<event>/stripe-authorization": ORGANIZER,
    "GET /v1/events/<event>/relationships/stripe-authorization": ANYONE,
    "GET /v1/events/<event>/stripe-link-attempts": ORGANIZER,
    "POST /v1/stripe-authorization-requests": ORGANIZER,
    "POST /v1/stripe-checks": ADMIN,
    "GET /v1/audit-entries": ADMIN,
    "POST /stripe/webhooks": ANYONE,  # Stripe's signature is the proof
}
# Linkage is changed by linking and unlinking alone: every write there is refused, to everybody.
RELATIONSHIPS = (
    "/v1/stripe-authorizations/<authorization>/relationships/event",
    "/v1/events/<event>/relationships/stripe-authorization",
)

SESSION = Prepared(
    select(or_(User.is_admin, User.is_super_admin).label("is_admin")).where(
        User.id == bindparam("user_id"),
        User.session_generation == bindparam("generation"),
        ~User.is_blocked,
        User.deleted_at.is_(None),
        ~exists().where(EndedSession.id == bindparam("session_id")),
    )
)


@dataclass(frozen=True)
class Caller:
    """Who is asking. `id` is None for somebody who has not signed in."""

    id: int | None = None
    is_admin: bool = False
    session_id: str | None = None
    session_generation: int | None = None
    is_fresh: bool = False

    @property
    def is_anonymous(self) -> bool:
        """Whether no token was sent."""
        return self.id is None

    def role(self, rank: int | None = None) -> Role:
        """Return what the caller is, to the event at which they have the role of *rank*."""
        if self.is_admin:
            return ADMIN
        if rank is not None:
            return Role(rank)
        return ANYONE if self.is_anonymous else USER


def init_app(app: Flask) -> None:
    """Guard every route of *app*."""
    app.before_request(_guard)


def current_caller() -> Caller:
    """Return who is asking in this request."""
    return g.caller


def right_of(method: str, rule: str) -> Role | None:
    """Return the least role for *method* on *rule*; None if nobody declared one."""
    if method == "HEAD":
        method = "GET"
    if rule in RELATIONSHIPS and method != "GET":
        return USER
    return RIGHTS.get(f"{method} {rule}")


def _guard() -> None:
    """Refuse a bad token everywhere, no token where one is needed, and a route without a right."""
    if request.url_rule is None or request.method == "OPTIONS":
        return
    least = right_of(request.method, request.url_rule.rule)
    if least is None:
        raise Internal
    g.caller = _caller_of_header(least)
    g.caller_id = g.caller.id
    if least > ANYONE and g.caller.is_anonymous:
        raise Unauthenticated


def _caller_of_header(least: Role) -> Caller:
    """
    Under /v1 the header counts, and a bad one is refused even where none is needed.

    Whoever signs in may send a token that has ended: that is often why they sign in.
    """
    reads_header = request.path.startswith("/v1/")
    is_signing_in = request.path.startswith("/v1/auth/") and least == ANYONE
    return identify("access") if reads_header and not is_signing_in else Caller()


def identify(*token_types: str) -> Caller:
    """
    Return who sent the token in the Authorization header (`JWT …` or `Bearer …`).

    Without a header it is nobody. Raises Unauthenticated like `caller_of`.
    """
    header = request.headers.get("Authorization")
    if header is None:
        return Caller()
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() not in ("jwt", "bearer"):
        raise Unauthenticated("The Authorization header must read: JWT <access token>.")
    return caller_of(token.strip(), *token_types)


def caller_of(token: str, *token_types: str) -> Caller:
    """
    Return whose *token* it is.

    Raises Unauthenticated unless it is one of *token_types* that is ours, in time, of a session
    that goes on and of a user who may sign in.
    """
    said = read_token(token, *token_types)
    found = read(
        SESSION,
        {
            "user_id": said.user_id,
            "session_id": said.session_id,
            "generation": said.session_generation,
        },
    )
    if not found:
        raise Unauthenticated("The session has ended. Please sign in again.")
    return Caller(
        id=said.user_id,
        is_admin=found[0].is_admin,
        session_id=said.session_id,
        session_generation=said.session_generation,
        is_fresh=said.is_fresh,
    )


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
    return event_id.in_(select(UsersEventsRole.event_id).where(UsersEventsRole.user_id == user_id))


def require(role: Role, least: Role, doing: str) -> None:
    """Raise Forbidden, saying what it takes for *doing*, if *role* is less than *least*."""
    if role < least:
        raise Forbidden(f"To {doing} one must be {least.name.lower()} of the event, or more.")
