"""
Service tokens: what a program, such as the ticketing server, shows instead of signing in.

A token is `oest_` and 43 random characters (256 bits). Only its SHA-256 is kept, so reading
the database gives nobody a usable token; it is shown once, when it is made.
"""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.auth.policy import Caller
from app.db.clock import current_time, database_now
from app.db.compiled import CompiledSelect
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import Unauthenticated
from app.models import ServiceToken
from app.security.logs import log

PREFIX = "oest_"
SCOPES = ("read", "payments")
SHAPE = re.compile(r"oest_[A-Za-z0-9_-]{43}", re.ASCII)
USED_EVERY = timedelta(minutes=1)  # how exactly the last use is kept
VALID = CompiledSelect(
    select(
        ServiceToken.id,
        ServiceToken.scopes,
        ServiceToken.event_ids,
        ServiceToken.last_used_at,
        database_now().label("now"),
    ).where(
        ServiceToken.token_hash == bindparam("token_hash"),
        ServiceToken.revoked_at.is_(None),
        ServiceToken.expires_at.is_(None) | (ServiceToken.expires_at > database_now()),
    )
)


@dataclass(frozen=True)
class NewToken:
    """A token that was just made: the only moment at which *token* itself is known."""

    id: int
    name: str
    token: str = field(repr=False)


def create_token(
    name: str, scopes: list[str], *, event_ids: list[int] | None, expires_in: timedelta | None
) -> NewToken:
    """Make a service token, for all events or for those of *event_ids*."""
    token = PREFIX + secrets.token_urlsafe(32)
    with transaction() as session:
        row = ServiceToken(
            name=name,
            token_hash=_hash(token),
            scopes=sorted(set(scopes)),
            event_ids=sorted(set(event_ids)) if event_ids else None,
            expires_at=current_time(session) + expires_in if expires_in else None,
        )
        session.add(row)
        session.flush()
        return NewToken(row.id, name, token)


def list_tokens() -> list[ServiceToken]:
    """Return every token that was made, the oldest first."""
    with transaction() as session:
        return list(session.scalars(select(ServiceToken).order_by(ServiceToken.id)))


def revoke_token(token_id: int) -> bool:
    """End a token at once, on every instance; False if there is none. Idempotent."""
    with transaction() as session:
        row = session.get(ServiceToken, token_id, with_for_update=True, populate_existing=True)
        if row is None:
            return False
        row.revoked_at = row.revoked_at or current_time(session)
        return True


def caller_of(token: str) -> Caller:
    """Return the program whose *token* it is. Raises Unauthenticated unless it is valid now."""
    found = read(VALID, {"token_hash": _hash(token)}) if SHAPE.fullmatch(token) else ()
    if not found:
        raise Unauthenticated("The service token is not valid, was revoked or has expired.")
    row = found[0]
    _note_use(row.id, row.last_used_at, row.now)
    return Caller(
        service_token_id=row.id,
        scopes=frozenset(row.scopes),
        event_ids=None if row.event_ids is None else frozenset(row.event_ids),
    )


def _note_use(token_id: int, last_used_at: datetime | None, now: datetime) -> None:
    """Record when the token was last used, to the minute; no request fails because of it."""
    if last_used_at is not None and now - last_used_at < USED_EVERY:
        return
    try:
        with transaction() as session:
            session.execute(
                update(ServiceToken).where(ServiceToken.id == token_id).values(last_used_at=now)
            )
    except SQLAlchemyError as error:
        log.warning("use of a service token not noted", kind=type(error).__name__)


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
