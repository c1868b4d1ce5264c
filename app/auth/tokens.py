"""Our tokens: what they say, how they are issued, and that one is ours."""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from time import time
from typing import Any, Protocol, TypeGuard
from uuid import uuid4

import jwt
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from app.auth.policy import Caller
from app.db.types import LARGEST_ID
from app.errors import Unauthenticated
from app.extensions import bound

NOT_VALID = "The token is not valid. Please sign in again."
EXPIRED = "The session has expired. Please sign in again."
CLAIMS = {"iat", "nbf", "jti", "exp", "identity", "fresh", "type", "csrf"}
LIFETIMES = {"access": timedelta(hours=24), "refresh": timedelta(days=30)}
FRESH = timedelta(minutes=5)  # how long a password that was given counts
CLOCKS_APART = timedelta(seconds=30)  # how far ahead the clock of another instance may be
# What is in `jti`: generation of the user's sessions, session, and chance.
TOKEN_ID = re.compile(r"([0-9]{1,9})\.([0-9a-f]{32})\.[0-9a-f]{16}", re.ASCII)


class SessionUser(Protocol):
    """The subject of tokens: a user, or the caller that a token named."""

    @property
    def id(self) -> Any: ...

    @property
    def session_generation(self) -> Any: ...


@dataclass(frozen=True)
class Token:
    """Whose token it is, of which session, and whether a password was given lately."""

    user_id: int
    session_id: str
    session_generation: int
    is_fresh: bool


def new_session_id() -> str:
    """Return the id that all tokens of one sign-in share."""
    return secrets.token_hex(16)


def issue_access_token(user: SessionUser, session_id: str, *, is_fresh: bool = False) -> str:
    """Return an access token for *user*; a fresh one says that the password was just given."""
    return _issue("access", user, session_id, is_fresh=is_fresh)


def renew_access_token(caller: Caller, *, is_fresh: bool = False) -> str:
    """Return another access token of *caller*'s session. Raises Unauthenticated without one."""
    if caller.session_id is None:
        raise Unauthenticated
    return issue_access_token(caller, caller.session_id, is_fresh=is_fresh)


def issue_refresh_token(user: SessionUser, session_id: str) -> str:
    """Return a token that gets further access tokens, as long as the session goes on."""
    return _issue("refresh", user, session_id)


def _issue(kind: str, user: SessionUser, session_id: str, *, is_fresh: bool = False) -> str:
    """A token names the generation of its user's sessions and its own session: both can end."""
    now = int(time())
    claims = {
        "iat": now,
        "nbf": now,
        "exp": now + int(LIFETIMES[kind].total_seconds()),
        "jti": f"{user.session_generation}.{session_id}.{secrets.token_hex(8)}",
        "identity": user.id,
        "fresh": now + int(FRESH.total_seconds()) if is_fresh else False,
        "type": kind,
        "csrf": str(uuid4()),
    }
    return jwt.encode(claims, _key(), algorithm="HS256")


def read_token(encoded: str, *types: str) -> Token:
    """
    Return what a token says that is ours, in time, and one of *types* (`access`, `refresh`).

    Whether its session goes on only the database knows. Raises Unauthenticated.

    A token without one of the claims is not ours though our key may have signed it; without `exp`,
    for one, it would be good forever.
    """
    claims = _verified_claims(encoded, _key())
    user_id, token_id = claims.get("identity"), TOKEN_ID.fullmatch(str(claims.get("jti")))
    if not claims.keys() >= CLAIMS or token_id is None or not _is_id(user_id):
        raise Unauthenticated(NOT_VALID)
    if int(claims["exp"]) <= time():
        raise Unauthenticated(EXPIRED)
    if claims["type"] not in types:
        raise Unauthenticated("This token cannot be used here. Please sign in again.")
    return Token(user_id, token_id[2], int(token_id[1]), _is_fresh(claims["fresh"]))


@lru_cache(1024)
def _verified_claims(encoded: str, key: str) -> dict[str, Any]:
    """
    Return the claims that *key* signed; the leeway is for `iat` and `nbf`, not for `exp`.

    A signature that is good stays so, and to check it takes as long as to read a link. Who calls
    this looks at `exp` each time.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            encoded,
            key,
            algorithms=["HS256"],
            leeway=CLOCKS_APART,
            options={"verify_aud": False},
        )
    except ExpiredSignatureError:
        raise Unauthenticated(EXPIRED) from None
    except PyJWTError:
        raise Unauthenticated(NOT_VALID) from None
    return claims


def _key() -> str:
    key: str = bound("config").jwt_secret_key
    return key


def _is_id(claim: object) -> TypeGuard[int]:
    return type(claim) is int and 0 < claim <= LARGEST_ID


def _is_fresh(claim: object) -> bool:
    """Whether a password was given lately: the claim holds the moment until which it counts."""
    return isinstance(claim, int | float) and not isinstance(claim, bool) and time() < claim
