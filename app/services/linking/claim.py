"""Claiming: gather the facts, let `judge_start` decide, and commit the attempt."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from app.auth.policy import Caller
from app.db.clock import database_now
from app.db.transactions import transaction
from app.errors import CodeAlreadyUsed, ServiceError
from app.models import (
    Event,
    Setting,
    StripeAccount,
    StripeAuthorization,
    StripeAuthorizationRequest,
    StripeLinkAttempt,
)
from app.services.accounts.connections import may_use
from app.services.accounts.links import AccountKey
from app.services.events.queries import lock_event
from app.services.events.views import FoundEvent
from app.services.linking import attempts
from app.services.linking.admission import StartFacts, judge_start
from app.services.linking.authorization_requests import find_trip
from app.services.linking.request import LinkRequest, LinkResult, Method
from app.services.platform.registration import Platform, digest_code, platform_of

ACCOUNT_ID = re.compile(r"[A-Za-z0-9_]{1,100}", re.ASCII)
USED = "This authorization code was used before. Please connect with Stripe again."
KNOWN, CURRENT = aliased(StripeLinkAttempt), aliased(StripeLinkAttempt)
# Built once: putting them together takes longer than running them.
START = insert(StripeLinkAttempt.__table__).returning(StripeLinkAttempt.id)
FACTS = (
    select(database_now(), KNOWN, CURRENT, StripeAuthorization)
    .select_from(Event)
    .outerjoin(
        KNOWN,
        (KNOWN.stripe_auth_code == bindparam("digest"))
        & (KNOWN.outcome.is_(None) | (KNOWN.outcome != "not-sent")),
    )
    .outerjoin(CURRENT, (CURRENT.event_id == Event.id) & CURRENT.finished_at.is_(None))
    .outerjoin(
        StripeAuthorization,
        (StripeAuthorization.event_id == Event.id)
        & (StripeAuthorization.livemode == bindparam("livemode")),
    )
    .where(Event.id == bindparam("event_id"))
)


@dataclass(frozen=True)
class Claim:
    """
    The right to ask Stripe once, and what the account it grants is to be stored for.

    *account_id* is the account that is to be confirmed, where it is known before Stripe is asked;
    *connection_id* the row of `stripe_accounts` of an onboarding.
    """

    attempt_id: int
    event_id: int
    caller: Caller
    platform: Platform
    method: Method
    code_digest: str | None
    replacing: int | None
    account_id: str | None = None
    connection_id: int | None = None


def claim_attempt(request: LinkRequest, reserve: Callable[[], Any]) -> Claim | LinkResult:
    """
    Commit the attempt that may ask Stripe, or return the link that the same request made before.

    *reserve* acquires a place for a call to Stripe, or raises StripeBusy; it is asked last, so that
    a request that is refused anyway needs none. Raises Invalid, NotFound and what `judge_start`
    raises; neither the code nor the state is spent then. An onboarding's state never is: linking
    alone spends it.
    """
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
    if facts.trip is not None and request.method == "oauth":
        facts.trip.used_at = facts.now
    started = session.connection().execute(
        START,
        {
            "event_id": event.id,
            "user_id": request.caller.id,
            "method": request.method,
            "stripe_auth_code": digest,
            "livemode": facts.platform.livemode,
            "state_checked": facts.trip is not None,
            "request_id": facts.trip.id if facts.trip is not None else None,
            "started_at": facts.now,
            "expires_at": facts.now + timedelta(seconds=request.timeout) + attempts.LEASE,
        },
    )
    onboarded = facts.onboarded
    return Claim(
        attempt_id=started.scalar_one(),
        event_id=event.id,
        caller=request.caller,
        platform=facts.platform,
        method=request.method,
        code_digest=digest,
        replacing=request.replacing,
        account_id=request.account_id if onboarded is None else onboarded.stripe_user_id,
        connection_id=None if onboarded is None else onboarded.id,
    )


def _gather(
    session: Session, request: LinkRequest, event: FoundEvent, setting: Setting, digest: str | None
) -> StartFacts:
    """Read the facts under the event's lock; an attempt whose lease has ended is closed."""
    now, known, current, link = _read(session, event.id, setting.livemode, digest)
    for attempt in (known, current):
        if attempt is not None and attempt.event_id == event.id:
            attempts.close_if_expired(session, attempt, now)
    replaced = link
    if request.replacing is not None and (link is None or link.id != request.replacing):
        replaced = session.get(StripeAuthorization, request.replacing)
    trip = find_trip(session, request.state) if request.state is not None else None
    onboarded = _find_onboarded(session, trip)
    made = known.authorization_id if known is not None else None
    if onboarded is not None and trip is not None:
        made = _find_made_by(session, trip)
    return StartFacts(
        now=now,
        event_id=event.id,
        role=event.role,
        can_pay_by_stripe=event.can_pay_by_stripe,
        platform=platform_of(setting, setting.livemode),
        known=known,
        known_link=session.get(StripeAuthorization, made) if made is not None else None,
        current=current,
        link=link,
        replaced=replaced,
        trip=trip,
        onboarded=onboarded,
        may_use=_may_use(session, request, setting.livemode),
        connect_method=setting.stripe_connect_method,
    )


def _may_use(session: Session, request: LinkRequest, livemode: bool) -> bool:
    if request.account_id is None or not ACCOUNT_ID.fullmatch(request.account_id):
        return False
    account, caller = AccountKey(request.account_id, livemode), request.caller
    return may_use(session, account, caller.id, is_admin=caller.is_admin)


def _find_onboarded(
    session: Session, trip: StripeAuthorizationRequest | None
) -> StripeAccount | None:
    """Return the account that *trip* leads to, if it is an onboarding."""
    if trip is None or trip.account_id is None:
        return None
    return session.get(StripeAccount, trip.account_id, populate_existing=True)


def _find_made_by(session: Session, trip: StripeAuthorizationRequest) -> int | None:
    """Return the id of the link that the onboarding of *trip* has made, whether it still stands."""
    row = StripeLinkAttempt
    made = select(row.authorization_id).where(row.request_id == trip.id, row.outcome == "linked")
    return session.scalar(made.order_by(row.id.desc()).limit(1))


def _read(
    session: Session, event_id: int, livemode: bool, digest: str | None
) -> tuple[
    datetime, StripeLinkAttempt | None, StripeLinkAttempt | None, StripeAuthorization | None
]:
    """
    Return the time, the attempt that used the code (unless it was not sent), the event's unfinished
    attempt, and its link in the mode: in one statement.
    """
    found = session.execute(FACTS, {"event_id": event_id, "livemode": livemode, "digest": digest})
    now, known, current, link = found.one()
    return now, known, current, link
