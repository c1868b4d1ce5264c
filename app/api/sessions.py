"""Signing in and out: plain JSON, as the frontend has always known it."""

from typing import Any

from flask import current_app, jsonify, request
from flask.typing import ResponseReturnValue

from app.auth import sessions, tokens
from app.auth.guard import current_caller, identify
from app.auth.rate_limits import attempts_from, rate_limits
from app.errors import ServiceError, Unauthenticated
from app.http.hosts import client_address


class MissingCredentials(ServiceError):
    """The body does not hold what it takes to sign in."""

    status = 400
    is_plain = True

    def __init__(self) -> None:
        super().__init__("username or password missing")


def sign_in() -> ResponseReturnValue:
    """Issue an access token for an e-mail and its password; a refresh token if one is asked for."""
    rate_limits().take(attempts_from(client_address()))
    body = _read_body()
    email, password = body.get("email") or body.get("username"), body.get("password")
    user = sessions.sign_in(_text(email), _text(password), client_address())
    session_id = tokens.new_session_id()
    answer = {"access_token": tokens.issue_access_token(user, session_id, is_fresh=True)}
    if _flag(body, "remember-me") and _flag(body, "include-in-response"):
        answer["refresh_token"] = tokens.issue_refresh_token(user, session_id)
    return jsonify(answer)


def refresh() -> ResponseReturnValue:
    """Issue another access token of the same session for its refresh token."""
    return jsonify(access_token=tokens.renew_access_token(identify("refresh")))


def sign_out() -> ResponseReturnValue:
    """End the session; any of its tokens will do."""
    caller = identify("access", "refresh")
    if caller.is_anonymous:
        raise Unauthenticated
    sessions.end_session(caller)
    return jsonify(success=True)


def sign_in_again() -> ResponseReturnValue:
    """Issue a fresh access token of the same session for one's own password."""
    rate_limits().take(attempts_from(client_address()))
    caller = current_caller()
    sessions.sign_in_again(caller, _text(_read_body().get("password")), client_address())
    return jsonify(access_token=tokens.renew_access_token(caller, is_fresh=True))


def _read_body() -> dict[str, Any]:
    """Return the JSON object that was sent, whatever it was called in the Content-Type."""
    try:
        body = current_app.json.loads(request.get_data())
    except ValueError:
        raise MissingCredentials from None
    if not isinstance(body, dict):
        raise MissingCredentials
    return body


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise MissingCredentials
    return value


def _flag(body: dict[str, Any], name: str) -> bool:
    """Return whether a flag is set; older clients write its name with underscores."""
    return body.get(name, body.get(name.replace("-", "_"))) is True
