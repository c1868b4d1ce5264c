"""
Authorization requests: the browser's trip to Stripe, bound to user, event, mode and redirect URI.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlencode

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.auth.policy import CONNECT, Caller, require
from app.db.clock import current_time, database_now
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import Invalid
from app.models import Event, StripeAuthorizationRequest, User
from app.services.events.queries import lock_event
from app.services.events.theirs import confirm_event
from app.services.events.views import FoundEvent
from app.services.identifiers import event_reference
from app.services.linking.links import LinkedEvent
from app.services.platform.countries import country_code
from app.services.platform.registration import current_platform

LIFETIME = timedelta(minutes=60)  # creating a Stripe account on the way takes a while


@dataclass(frozen=True)
class AuthorizationRequest:
    """Where the browser goes, and the state with which it must come back."""

    id: int
    event: LinkedEvent
    authorize_url: str = field(repr=False)
    state: str = field(repr=False)
    redirect_uri: str
    expires_at: datetime

    @property
    def event_id(self) -> int:
        """The id of the event, for links."""
        return self.event.id


def create_request(
    event_reference: str,
    caller: Caller,
    *,
    redirect_uri: str | None,
    allowed_uris: Sequence[str],
    connect_url: str,
) -> AuthorizationRequest:
    """
    Issue a state for *caller* and the event, in the current mode.

    Raises Invalid (redirect URI), NotFound, Forbidden, StripeNotConfigured.
    """
    redirect_uri = checked_uri(redirect_uri, allowed_uris)
    state = secrets.token_urlsafe(32)
    confirm_event(event_reference, caller)
    with transaction() as session:
        event, setting = lock_event(event_reference, caller, field="event")
        require(event.role, CONNECT)
        platform = current_platform(setting)
        email = session.scalar(select(User.email).where(User.id == caller.id))
        request = StripeAuthorizationRequest(
            state_hash=hash_state(state),
            user_id=caller.id,
            event_id=event.id,
            livemode=platform.livemode,
            redirect_uri=redirect_uri,
            expires_at=current_time(session) + LIFETIME,
        )
        session.add(request)
    url = _authorize_url(connect_url, platform.client_id, state, redirect_uri, email, event)
    return AuthorizationRequest(
        id=request.id,
        event=LinkedEvent(event.id),
        authorize_url=url,
        state=state,
        redirect_uri=redirect_uri,
        expires_at=request.expires_at,
    )


def checked_uri(redirect_uri: str | None, allowed_uris: Sequence[str]) -> str:
    """Return the redirect URI, the first of *allowed_uris* by default. Raises Invalid."""
    redirect_uri = allowed_uris[0] if redirect_uri is None else redirect_uri
    if redirect_uri not in allowed_uris:
        raise Invalid(
            "Stripe may not send the browser back to this address.",
            field="redirect_uri",
        )
    return redirect_uri


def _authorize_url(
    connect_url: str, client_id: str, state: str, redirect_uri: str, email: str, event: FoundEvent
) -> str:
    query = {
        "response_type": "code",
        "client_id": client_id,
        "scope": "read_write",
        "state": state,
        "redirect_uri": redirect_uri,
        "stripe_user[email]": email,
    }
    country = country_code(event.payment_country)
    if country is not None:
        query["stripe_user[country]"] = country
    return f"{connect_url}/oauth/authorize?{urlencode(query)}"


def find_trip(session: Session, state: str) -> StripeAuthorizationRequest | None:
    """
    Return the authorization request that *state* belongs to, None if there is none.

    The holder of its event's lock may set `used_at`: no other request consumes the state meanwhile.
    """
    found = select(StripeAuthorizationRequest).where(
        StripeAuthorizationRequest.state_hash == hash_state(state)
    )
    return session.scalars(found).one_or_none()


def consume(session: Session, request_id: int | None, now: datetime) -> None:
    """Spend the state of an onboarding that has linked its event."""
    _set_used_at(session, request_id, now)


@dataclass(frozen=True, slots=True)
class Trip:
    """Whose trip a state stands for, and to which event; *is_live* if it may still be used."""

    user_id: int
    event_id: int
    event_identifier: str
    is_live: bool
    is_onboarding: bool

    @property
    def event_reference(self) -> str:
        """What names the event in the addresses of pages."""
        return event_reference(self.event_id, self.event_identifier)


def read_trip(state: str) -> Trip | None:
    """Return the trip that *state* was issued for, used or not; None if it was never issued."""
    row = StripeAuthorizationRequest
    found = read(
        select(
            row.user_id,
            row.event_id,
            Event.identifier,
            row.used_at.is_(None) & (row.expires_at > database_now()),
            row.account_id.is_not(None),
        )
        .join(Event, Event.id == row.event_id)
        .where(row.state_hash == hash_state(state))
    )
    return Trip(*found[0]) if found else None


def release(session: Session, request_id: int | None) -> None:
    """Free the state that came with a code which was demonstrably not sent."""
    _set_used_at(session, request_id, None)


def _set_used_at(session: Session, request_id: int | None, moment: datetime | None) -> None:
    if request_id is not None:
        session.execute(
            update(StripeAuthorizationRequest)
            .where(StripeAuthorizationRequest.id == request_id)
            .values(used_at=moment)
            .execution_options(synchronize_session=False)
        )


def hash_state(state: str) -> str:
    """Return the hash by which a state is known."""
    return sha256(state.encode()).hexdigest()
