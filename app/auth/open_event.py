"""
Access tokens that Open Event Server issues, under its key (OPEN_EVENT_JWT_SECRET_KEY).

Such a token says only a number: it is taken as the imported user of that id, never as fresh and
never as an administrator. Whatever is not exactly such a token is none, and ours to judge.
"""

import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Any
from uuid import UUID

import jwt
from jwt.exceptions import PyJWTError
from jwt.warnings import InsecureKeyLengthWarning
from sqlalchemy import bindparam, exists, or_, select

from app.auth.policy import Caller
from app.db.compiled import CompiledSelect
from app.db.reads import read
from app.db.types import FIRST_OWN_ID, UTCDateTime
from app.errors import SessionEnded
from app.extensions import bound
from app.models import EndedSession, ImportedRow, User

CLAIMS = {"iat", "nbf", "jti", "exp", "identity", "fresh", "type", "csrf"}
LONGEST = 24 * 60 * 60  # seconds from `iat` to `exp`
CLOCKS_APART = 30  # seconds that their clock may be ahead
TOKEN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

# Their key is what it is; whether it is too weak is judged once, at start (`config_checks.py`).
warnings.filterwarnings("ignore", category=InsecureKeyLengthWarning)

USER = CompiledSelect(
    select(User.session_generation).where(
        User.id == bindparam("user_id"),
        exists().where(ImportedRow.source == "users", ImportedRow.id == User.id),
        ~User.is_blocked,
        User.deleted_at.is_(None),
        or_(
            User.sessions_ended_at.is_(None),
            User.sessions_ended_at <= bindparam("issued_at", type_=UTCDateTime),
        ),
        ~exists().where(EndedSession.id == bindparam("session_id")),
    )
)


@dataclass(frozen=True)
class ForeignToken:
    """Whose token it is, which one, and when it was issued."""

    user_id: int
    session_id: str
    issued_at: datetime


def read_foreign_token(encoded: str) -> ForeignToken | None:
    """Return what an access token of Open Event Server says; None if it is none, or out of time."""
    key = bound("config").open_event_jwt_secret_key
    if not key:
        return None
    try:
        claims = jwt.decode(
            encoded, key, algorithms=["HS256"], leeway=CLOCKS_APART, options={"verify_aud": False}
        )
    except PyJWTError:
        return None
    if not claims.keys() >= CLAIMS or not _is_access_token(claims) or not _is_in_time(claims):
        return None
    issued_at = datetime.fromtimestamp(claims["iat"], UTC)
    return ForeignToken(claims["identity"], UUID(claims["jti"]).hex, issued_at)


def _is_access_token(claims: dict[str, Any]) -> bool:
    user_id, token_id = claims["identity"], claims["jti"]
    return (
        claims["type"] == "access"
        and isinstance(claims["fresh"], bool)
        and isinstance(token_id, str)
        and TOKEN_ID.fullmatch(token_id) is not None
        and type(user_id) is int
        and 0 < user_id < FIRST_OWN_ID
    )


def _is_in_time(claims: dict[str, Any]) -> bool:
    """The leeway is for `iat` and `nbf`, which their clock sets; not for the end."""
    issued, ends = claims["iat"], claims["exp"]
    return (
        all(type(claims[name]) is int for name in ("iat", "nbf", "exp"))
        and 0 < ends - issued <= LONGEST
        and time() < ends
    )


def caller_of(token: ForeignToken) -> Caller:
    """
    Return the imported user whose *token* it is.

    A user who is not known yet is imported first. Raises Unauthenticated for a user who is
    blocked, deleted or not imported, for a token that was logged out here and for one older than
    the user's last password or block here; Unavailable if the user is not known and cannot be.
    """
    on_demand = bound("open_event")
    if on_demand is not None:
        on_demand.refresh(user_id=token.user_id)
    found = read(
        USER,
        {
            "user_id": token.user_id,
            "session_id": token.session_id,
            "issued_at": token.issued_at,
        },
    )
    if not found:
        raise SessionEnded()
    return Caller(
        id=token.user_id,
        session_id=token.session_id,
        session_generation=found[0].session_generation,
    )
