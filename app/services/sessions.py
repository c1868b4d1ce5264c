"""Sessions: tokens of a sign-in, which end together."""

import secrets
from datetime import timedelta

from flask_jwt_extended import create_access_token, create_refresh_token

from app.models import User

FRESH = timedelta(minutes=5)  # how long a password that was given counts


def new_session_id() -> str:
    """Return the id that all tokens of one sign-in share."""
    return secrets.token_hex(16)


def issue_access_token(user: User, session_id: str, *, is_fresh: bool = False) -> str:
    """Return an access token for *user*; a fresh one says that the password was just given."""
    return create_access_token(
        user.id,
        fresh=FRESH if is_fresh else False,
        additional_claims={"jti": _token_id(user, session_id)},
    )


def issue_refresh_token(user: User, session_id: str) -> str:
    """Return a token that gets further access tokens, as long as the session goes on."""
    return create_refresh_token(user.id, additional_claims={"jti": _token_id(user, session_id)})


def _token_id(user: User, session_id: str) -> str:
    """A token names the generation of its user's sessions and its own session: both can end."""
    return f"{user.session_generation}.{session_id}.{secrets.token_hex(8)}"
