"""
The guard at the door: a token becomes a caller, and the table of routes says who may pass.

Enforces here that callers are signed in, or administrators. Roles at an event are enforced where
the event is known, by the same right (`app/auth/policy.py`).
"""

from typing import Any

from flask import Flask, g, request
from sqlalchemy import bindparam, exists, or_, select

from app.auth import service_tokens
from app.auth.open_event import caller_of as caller_of_foreign
from app.auth.open_event import read_foreign_token
from app.auth.policy import ADMIN, ANYONE, Caller, Right
from app.auth.tokens import read_token
from app.db.compiled import CompiledSelect
from app.db.reads import read
from app.errors import Forbidden, Internal, SessionEnded, Unauthenticated
from app.models import EndedSession, User

COOKIE = "console_token"  # holds the access token of a user of the console
SESSION = CompiledSelect(
    select(or_(User.is_admin, User.is_super_admin).label("is_admin")).where(
        User.id == bindparam("user_id"),
        User.session_generation == bindparam("generation"),
        ~User.is_blocked,
        User.deleted_at.is_(None),
        ~exists().where(EndedSession.id == bindparam("session_id")),
    )
)


def init_app(app: Flask) -> None:
    """Guard every route of *app*."""
    app.before_request(_guard)


def current_caller() -> Caller:
    """Return who is asking in this request."""
    caller: Caller = g.caller
    return caller


def _guard() -> None:
    """Refuse a bad token everywhere, no token where one is needed, and a route without a right."""
    if request.url_rule is None or request.method == "OPTIONS":
        return
    route = g.route
    right = route.right(request.method) if route else None
    if right is None:
        raise Internal
    caller = caller_of_cookie() if route.page else _caller_of_header(right)
    g.caller, g.caller_id = caller, caller.id
    if right.least > ANYONE and caller.is_anonymous:
        raise Unauthenticated
    if caller.is_service and right.least > ANYONE and not caller.scopes & right.scopes:
        raise Forbidden("This service token does not have the scope for this.")
    if right.least == ADMIN and not caller.is_admin:
        _refuse(route.view, right)


def _refuse(view: Any, right: Right) -> None:
    """Refuse a caller who is not an administrator; faults in the document take precedence."""
    check_document = getattr(view, "check_document", None)
    if check_document is not None and request.method in ("POST", "PATCH"):
        check_document()
    raise right.refusal()


def _caller_of_header(right: Right) -> Caller:
    """
    Under /v1 the header counts, and a bad one is refused even where none is needed.

    People who sign in may send a token that has ended: that is often why they sign in.
    """
    reads_header = request.path.startswith("/v1/")
    is_signing_in = request.path.startswith("/v1/auth/") and right.least == ANYONE
    if not reads_header or is_signing_in:
        return Caller()
    token = _token_of_header()
    if token is not None and token.startswith(service_tokens.PREFIX):
        return service_tokens.caller_of(token)
    return identify("access")


def caller_of_cookie() -> Caller:
    """Return who is signed in at the console; an anonymous caller if the session has ended."""
    token = request.cookies.get(COOKIE)
    try:
        return caller_of(token, "access") if token else Caller()
    except Unauthenticated:
        return Caller()


def identify(*token_types: str) -> Caller:
    """
    Return who sent the token in the Authorization header.

    Without a header the caller is anonymous. Where Open Event Server's key is known, its access
    tokens are taken as well. Raises Unauthenticated like `caller_of`.
    """
    token = _token_of_header()
    if token is None:
        return Caller()
    foreign = read_foreign_token(token) if "access" in token_types else None
    return caller_of(token, *token_types) if foreign is None else caller_of_foreign(foreign)


def _token_of_header() -> str | None:
    """Return the token of `JWT …` or `Bearer …`; None without a header. Raises Unauthenticated."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() not in ("jwt", "bearer"):
        raise Unauthenticated("The Authorization header must be “JWT <access token>”.")
    return token.strip()


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
        raise SessionEnded()
    return Caller(
        id=said.user_id,
        is_admin=found[0].is_admin,
        session_id=said.session_id,
        session_generation=said.session_generation,
        is_fresh=said.is_fresh,
    )
