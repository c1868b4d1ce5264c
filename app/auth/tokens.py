"""What a token of ours says, and that it is one of ours."""

import re
from dataclasses import dataclass
from time import time

import jwt
from flask import current_app
from jwt.exceptions import PyJWTError

from app.errors import Unauthenticated

NOT_VALID = "The token is not valid. Please sign in again."
CLAIMS = {"iat", "nbf", "jti", "exp", "identity", "fresh", "type", "csrf"}
LARGEST_ID = 2**31 - 1
# What is in `jti`: generation of the user's sessions, session, and chance.
TOKEN_ID = re.compile(r"([0-9]{1,9})\.([0-9a-f]{32})\.[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True)
class Token:
    """Whose token it is, of which session, and whether a password was given lately."""

    user_id: int
    session_id: str
    session_generation: int
    is_fresh: bool


def read_token(encoded: str, *types: str) -> Token:
    """
    Return what a token says that is ours, in time, and one of *types* (`access`, `refresh`).

    Whether its session goes on only the database knows. Raises Unauthenticated.

    A token without one of the claims is not ours though our key may have signed it; without `exp`,
    for one, it would be good for ever.
    """
    try:
        # By PyJWT itself: Flask-JWT-Extended reads every token twice, once without its signature.
        claims = jwt.decode(
            encoded,
            current_app.config["JWT_SECRET_KEY"],
            algorithms=["HS256"],
            options={"verify_aud": False},
        )
    except PyJWTError:
        raise Unauthenticated(NOT_VALID) from None
    user_id, token_id = claims.get("identity"), TOKEN_ID.fullmatch(str(claims.get("jti")))
    is_id = type(user_id) is int and 0 < user_id <= LARGEST_ID
    if not claims.keys() >= CLAIMS or token_id is None or not is_id:
        raise Unauthenticated(NOT_VALID)
    if claims["type"] not in types:
        raise Unauthenticated("This token is not meant for this. Please sign in again.")
    return Token(user_id, token_id[2], int(token_id[1]), _is_fresh(claims["fresh"]))


def _is_fresh(claim: object) -> bool:
    """Whether a password was given lately: the claim holds the moment until which it counts."""
    return isinstance(claim, int | float) and not isinstance(claim, bool) and time() < claim
