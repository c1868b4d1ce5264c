"""Claiming: gather the facts, let `judge_start` decide, and commit the attempt."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.auth.policy import Caller
from app.db.clock import current_time
from app.db.transactions import transaction
from app.errors import CodeAlreadyUsed, Invalid, ServiceError
from app.models import (
    Setting,
    StripeAuthorization,
    StripeAuthorizationRequest,
    StripeLinkAttempt,
)
from app.services.events.queries import lock_event
from app.services.events.views import FoundEvent
from app.services.linking import attempts
from app.services.linking.admission import StartFacts, judge_start
from app.services.linking.authorization_requests import find_trip
from app.services.linking.request import NO_SOURCE, LinkRequest, LinkResult, Method
from app.services.platform.registration import Platform, digest_code, platform_of

USED = "This authorization code was used before. Please connect with Stripe again."


@dataclass(frozen=True)
class Claim:
    """The right to ask Stripe once, and what the account it grants is to be stored for."""

    attempt_id: int
    event_id: int
    caller: Caller
    platform: Platform
    method: Method
    code_digest: str | None
    replacing: int | None


def claim_attempt(request: LinkRequest, reserve: Callable[[], Any]) -> Claim | LinkResult:
    """
    Commit the attempt that may ask Stripe, or return the link that the same code made before.

    *reserve* acquires a place for a call to Stripe, or raises StripeBusy; it is asked last, so that
    a request that is refused anyway needs none. Raises Invalid, NotFound and what `judge_start`
    raises; neither the code nor the state is spent then.
    """
    if request.method != "oauth":
        raise Invalid(
            NO_SOURCE, field="code"
        )  # there is no onboarding that a state could belong to
    try:
        with transaction() as session:
            try:
                return _claim(session, request, reserve)
            except ServiceError as error:
                refusal = error  # and commit: an expired attempt that was closed stays closed
    except IntegrityError:
        raise CodeAlreadyUsed(USED, field="code") from None  # another event claimed it just now
    raise refusal


def _claim(
    session: Session, request: LinkRequest, reserve: Callable[[], Any]
) -> Claim | LinkResult:
    event, setting = lock_event(request.event, request.caller, field="event")
    digest = digest_code(request.code, setting, session) if request.code is not None else None
    facts = _gather(session, request, event, setting, digest)
    made = judge_start(request, facts)
    if made is not None:
        return LinkResult(made, created=False)
    reserve()
    if facts.trip is not None:
        facts.trip.used_at = facts.now
    attempt = StripeLinkAttempt(
        event_id=event.id,
        user_id=request.caller.id,
        method=request.method,
        stripe_auth_code=digest,
        livemode=facts.platform.livemode,
        state_checked=facts.trip is not None,
        request_id=facts.trip.id if facts.trip is not None else None,
        started_at=facts.now,
        expires_at=facts.now + timedelta(seconds=request.timeout) + attempts.LEASE,
    )
    session.add(attempt)
    session.flush()
    return Claim(
        attempt_id=attempt.id,
        event_id=event.id,
        caller=request.caller,
        platform=facts.platform,
        method=request.method,
        code_digest=digest,
        replacing=request.replacing,
    )


def _gather(
    session: Session, request: LinkRequest, event: FoundEvent, setting: Setting, digest: str | None
) -> StartFacts:
    """Read what decides, under the event's lock; an attempt whose lease has ended is closed."""
    now = current_time(session)
    known, current = _find_attempts(session, event.id, digest)
    for attempt in (known, current):
        if attempt is not None and attempt.event_id == event.id:
            attempts.close_if_expired(session, attempt, now)
    known_link_id = known.authorization_id if known is not None else None
    wanted = (known_link_id, request.replacing)
    links = _find_links(session, event.id, [each for each in wanted if each is not None])
    by_id = {link.id: link for link in links}
    ours = [
        link for link in links if link.event_id == event.id and link.livemode == setting.livemode
    ]
    return StartFacts(
        now=now,
        event_id=event.id,
        role=event.role,
        can_pay_by_stripe=event.can_pay_by_stripe,
        platform=platform_of(setting, setting.livemode),
        known=known,
        known_link=by_id.get(known_link_id or 0),
        current=current,
        link=next(iter(ours), None),
        replaced=by_id.get(request.replacing or 0),
        trip=_find_trip(session, request),
    )


def _find_attempts(
    session: Session, event_id: int, digest: str | None
) -> tuple[StripeLinkAttempt | None, StripeLinkAttempt | None]:
    """Return the attempt that used the code, unless it was not sent, and the unfinished one."""
    row = StripeLinkAttempt
    used = (row.stripe_auth_code == digest) & (row.outcome.is_(None) | (row.outcome != "not-sent"))
    found = session.scalars(select(row).where(or_(used, attempts.is_unfinished(event_id)))).all()
    known = [
        each
        for each in found
        if digest is not None and each.stripe_auth_code == digest and each.outcome != "not-sent"
    ]
    current = [each for each in found if each.event_id == event_id and each.finished_at is None]
    return next(iter(known), None), next(iter(current), None)


def _find_links(session: Session, event_id: int, ids: list[int]) -> list[StripeAuthorization]:
    """Return the event's links, and those with one of *ids*."""
    row = StripeAuthorization
    found = select(row).where(or_(row.event_id == event_id, row.id.in_(ids)))
    return list(session.scalars(found))


def _find_trip(session: Session, request: LinkRequest) -> StripeAuthorizationRequest | None:
    return None if request.state is None else find_trip(session, request.state)
