"""
Claiming an authorization code: every check, in order, and the attempt that the database keeps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from app.auth.policy import CONNECT, Caller, require
from app.db.clock import database_now
from app.db.transactions import transaction
from app.errors import (
    AlreadyLinked,
    CodeAlreadyUsed,
    NotFound,
    RememberedFailure,
    ServiceError,
    StripeDisabled,
    StripeModeMismatch,
)
from app.models import Event, Setting, StripeAuthorization, StripeLinkAttempt
from app.services.events.queries import lock_event
from app.services.linking import attempts, authorization_requests
from app.services.platform.registration import Platform, current_platform, digest_code

EVENT = "/data/relationships/event"
CODE = "/data/attributes/stripe-auth-code"
# Beyond the time that Stripe has to answer: a little less than the 10 s that are promised, so that
# whoever asks at their very end is served.
LEASE = timedelta(seconds=9.5)


def _attempts(name: str) -> Any:
    """
    Return the attempts under another name, with every column looked up already.

    SQLAlchemy looks them up at their first use; two threads that did it at once could leave a
    column of the bare table there for good, and every link of that process would fail.
    """
    alias = aliased(StripeLinkAttempt, name=name)
    for attribute in inspect(StripeLinkAttempt).column_attrs:
        getattr(alias, attribute.key).__clause_element__()
    return alias


Known, Current = _attempts("known"), _attempts("current")
# Built once: putting it together takes longer than running it.
FACTS = (
    select(database_now(), StripeAuthorization, Known, Current)
    .select_from(Event)
    .outerjoin(
        StripeAuthorization,
        (StripeAuthorization.event_id == Event.id)
        & (StripeAuthorization.livemode == bindparam("livemode")),
    )
    .outerjoin(
        Known,
        (Known.stripe_auth_code == bindparam("digest"))
        & (Known.outcome.is_(None) | (Known.outcome != "not-sent")),
    )
    .outerjoin(Current, (Current.event_id == Event.id) & Current.finished_at.is_(None))
    .where(Event.id == bindparam("event_id"))
)


@dataclass(frozen=True)
class Wish:
    """
    What a caller asks for: to link *event* (id or identifier) by *code*.

    *replacing* is the id of the link whose place the new one takes. *timeout* is what Stripe has
    for its answer, in seconds; *state_required* refuses a link without a state of ours.
    """

    event: str
    caller: Caller
    code: str
    state: str | None
    state_required: bool
    timeout: float
    replacing: int | None = None

    def __repr__(self) -> str:
        return f"<Wish to link event {self.event}>"


@dataclass(frozen=True)
class Claim:
    """The right to send one code to Stripe, and what its grant is to be kept for."""

    attempt_id: int
    event_id: int
    caller: Caller
    platform: Platform
    code_digest: str
    replacing: int | None
    replaced_account: str | None


def claim_code(wish: Wish, reserve: Callable[[], Any]) -> Claim | StripeAuthorization:
    """
    Commit the attempt that may send the code, or return the link that this code made.

    *reserve* takes a place for a call to Stripe, or raises StripeBusy; it is asked last, so that
    whoever is refused needs none. Raises NotFound, Forbidden, CodeAlreadyUsed, RememberedFailure,
    LinkInProgress, StripeDisabled, AlreadyLinked, StripeModeMismatch, StripeNotConfigured,
    StateInvalid or StripeBusy; the code is not spent then, nor the state.
    """
    try:
        with transaction() as session:
            try:
                return _decide(session, wish, reserve)
            except ServiceError as error:
                refusal = error  # and commit: an expired attempt that was closed stays closed
    except IntegrityError:
        raise _used() from None  # another event claimed the code at the same moment
    raise refusal


def _decide(
    session: Session, wish: Wish, reserve: Callable[[], Any]
) -> Claim | StripeAuthorization:
    event, setting = lock_event(wish.event, wish.caller, pointer=EVENT)
    require(event.role, CONNECT)
    digest = digest_code(wish.code, setting, session)
    now, link, known, current = _facts(session, event, setting, digest)
    if known is not None:
        return _answer_again(session, event, known, now, wish.replacing)
    if not event.can_pay_by_stripe:
        raise StripeDisabled("Payment by Stripe is switched off for this event.", pointer=EVENT)
    attempts.refuse_if_under_way(session, current, now)
    _check_link(session, link, setting, wish.replacing)
    platform = current_platform(setting)
    request_id = None
    authorization_requests.check_presence(wish.state, wish.state_required)
    reserve()
    if wish.state is not None:
        request_id = authorization_requests.consume(
            session, wish.state, wish.caller, event, platform.livemode, now
        )
    attempt = StripeLinkAttempt(
        event_id=event.id,
        user_id=wish.caller.id,
        stripe_auth_code=digest,
        livemode=platform.livemode,
        state_checked=request_id is not None,
        request_id=request_id,
        started_at=now,
        expires_at=now + timedelta(seconds=wish.timeout) + LEASE,
    )
    session.add(attempt)
    session.flush()
    replaced = link.stripe_user_id if link is not None else None
    return Claim(attempt.id, event.id, wish.caller, platform, digest, wish.replacing, replaced)


def _facts(session: Session, event: Event, setting: Setting, digest: str) -> Row:
    """Return the database's time, the link of this mode, who has the code, who has the event."""
    known = {"event_id": event.id, "livemode": setting.livemode, "digest": digest}
    return session.execute(FACTS, known).one()


def _answer_again(
    session: Session, event: Event, known: StripeLinkAttempt, now: Any, replacing: int | None
) -> StripeAuthorization:
    """
    Answer a code that was seen before from memory: Stripe must never see it again.

    The code of the event's link in the other mode is none for the link that is to be replaced.
    """
    if known.event_id != event.id:
        raise _used()
    attempts.refuse_if_under_way(session, known, now)
    if known.outcome in ("refused", "failed"):
        raise RememberedFailure(
            known.status or 0,
            known.error_code or "",
            known.detail or "",
            pointer=known.pointer,
            meta={"stripe-error": known.stripe_error} if known.stripe_error else None,
        )
    if known.outcome == "linked":
        made = session.get(StripeAuthorization, known.authorization_id)
        if (
            made is not None
            and made.stripe_auth_code == known.stripe_auth_code
            and replacing in (None, made.id)
        ):
            return made
    raise _used()


def _check_link(
    session: Session, link: StripeAuthorization | None, setting: Setting, replacing: int | None
) -> None:
    """
    A first link needs an event without one; a new code for a link needs that link, in this mode.
    """
    if replacing is None:
        if link is not None:
            raise AlreadyLinked(
                "A Stripe account is connected to this event already. Disconnect it first.",
                pointer=EVENT,
            )
    elif link is None or link.id != replacing:
        if session.get(StripeAuthorization, replacing) is None:
            raise NotFound("This account is not connected any more.")
        mode = "live" if setting.livemode else "test"
        raise StripeModeMismatch(f"The platform is in {mode} mode, this account is not.")


def _used() -> CodeAlreadyUsed:
    return CodeAlreadyUsed(
        "This authorization code was used before. Please connect with Stripe again.", pointer=CODE
    )
