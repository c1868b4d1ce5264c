"""
Whether an attempt to link may start: a pure function from facts to an outcome.

The rows in the facts are read, never changed. The order of the checks is decided here alone.
"""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from app.auth.policy import CONNECT, Caller, Role, require
from app.errors import (
    AlreadyLinked,
    CodeAlreadyUsed,
    Conflict,
    Invalid,
    LinkInProgress,
    NotFound,
    RememberedFailure,
    StateInvalid,
    StripeDisabled,
    StripeModeMismatch,
    StripeNotConfigured,
)
from app.models import (
    StripeAccount,
    StripeAuthorization,
    StripeAuthorizationRequest,
    StripeLinkAttempt,
)
from app.services.linking.outcome import is_expired
from app.services.linking.request import NO_SOURCE, LinkRequest
from app.services.platform.keys import mode_of_publishable_key
from app.services.platform.registration import Platform

NOT_CONFIGURED = "Stripe is not set up on this platform yet. Please ask the administrator."


NOT_YOURS = "This is not an account that you connected. Please choose one of yours."
CONNECTED_MEANWHILE = (
    "Another account was connected to this event in the meantime. Nothing was changed."
    " Choose “Reconnect” if you want to replace that one."
)
NOT_BY_CODE = "Accounts are not connected by a code here. Please start again on this website."


@dataclass(frozen=True)
class StartFacts:
    """
    The facts that decide whether an attempt may start, read under the event's lock.

    *known* is the attempt that used the code before, *known_link* the link it made, or that the
    onboarding made, as it is now; *current* is the event's unfinished attempt, *link* its link in
    the current mode. *replaced* is the link that the request wants to replace, in whatever mode.
    *trip* is the authorization request that the state belongs to, *onboarded* the account of an
    onboarding. *may_use* says whether the account that the request names is the caller's, and
    *connect_method* how accounts are connected by now.
    """

    now: datetime
    event_id: int
    role: Role
    can_pay_by_stripe: bool
    platform: Platform
    known: StripeLinkAttempt | None = None
    known_link: StripeAuthorization | None = None
    current: StripeLinkAttempt | None = None
    link: StripeAuthorization | None = None
    replaced: StripeAuthorization | None = None
    trip: StripeAuthorizationRequest | None = None
    onboarded: StripeAccount | None = None
    may_use: bool = False
    connect_method: str = "oauth"


def judge_start(request: LinkRequest, facts: StartFacts) -> StripeAuthorization | None:
    """
    Return None if the attempt may start, or the link that the same request made before.

    Raises the first refusal, in the order of the checks: Forbidden; Invalid for an account that is
    not the caller's; for a known code its outcome again (RememberedFailure, CodeAlreadyUsed,
    LinkInProgress); Invalid for a code that is no way to connect; StripeDisabled, LinkInProgress,
    AlreadyLinked or NotFound, StripeNotConfigured, StripeModeMismatch, StateInvalid.
    """
    require(facts.role, CONNECT)
    if request.method == "account" and not facts.may_use:
        raise Invalid(NOT_YOURS, field="account")
    if facts.known is not None:
        return _repeat(request, facts, facts.known)
    made = _made_before(request, facts)
    if made is not None:
        return made
    if request.method == "oauth" and request.state is None and facts.connect_method != "oauth":
        raise Invalid(NOT_BY_CODE, field="code")
    if not facts.can_pay_by_stripe:
        raise StripeDisabled("Payment by Stripe is switched off for this event.", field="event")
    refuse_while_under_way(facts.current, facts.now)
    _check_link(request, facts)
    if not facts.platform.is_configured(request.method):
        raise StripeNotConfigured(NOT_CONFIGURED)
    _check_frontend(request, facts.platform.livemode)
    _check_state(request, facts)
    return None


def refuse_while_under_way(attempt: StripeLinkAttempt | None, now: datetime) -> None:
    """Raise LinkInProgress, saying when to try again, if *attempt* is not finished."""
    if attempt is None or attempt.finished_at is not None or is_expired(attempt, now):
        return
    seconds = max(1, ceil((attempt.expires_at - now).total_seconds()))
    raise LinkInProgress(
        "An account is being connected to this event right now. Please try again in a moment.",
        headers={"Retry-After": str(seconds)},
    )


def _repeat(
    request: LinkRequest, facts: StartFacts, known: StripeLinkAttempt
) -> StripeAuthorization:
    """
    Answer a code that was used before from memory: Stripe must never see it again.

    The code of the event's link in the other mode does not count for the link to be replaced.
    """
    if known.event_id != facts.event_id:
        raise _used()
    refuse_while_under_way(known, facts.now)
    if known.outcome in ("refused", "failed"):
        raise _remembered(known)
    made = facts.known_link
    if (
        known.outcome == "linked"
        and made is not None
        and made.stripe_auth_code == known.stripe_auth_code
        and request.replacing in (None, made.id)
    ):
        return made
    raise _used()


def _made_before(request: LinkRequest, facts: StartFacts) -> StripeAuthorization | None:
    """Return the event's link to the account that the request is about, where there is one."""
    account_id = request.account_id
    links = [facts.link]
    if request.method == "onboarding":
        if not _is_onboarding_of(facts, request.caller):
            return None
        account_id = facts.onboarded.stripe_user_id if facts.onboarded is not None else None
        links.append(facts.known_link)
    elif request.method == "oauth":
        return None
    for link in links:
        if (
            link is not None
            and link.event_id == facts.event_id
            and link.stripe_user_id == account_id
            and request.replacing in (None, link.id)
        ):
            return link
    return None


def _is_onboarding_of(facts: StartFacts, caller: Caller) -> bool:
    """Return whether the state is of *caller*'s onboarding for this event, spent or not."""
    trip = facts.trip
    is_own = trip is not None and trip.user_id == caller.id and trip.event_id == facts.event_id
    return is_own and facts.onboarded is not None


def _remembered(known: StripeLinkAttempt) -> RememberedFailure:
    place = known.pointer
    source: dict[str, Any] = {}
    if place is not None:
        source = {"pointer" if place.startswith("/") else "field": place}
    return RememberedFailure(
        known.status or 0,
        known.error_code or "",
        known.detail or "",
        meta={"stripe-error": known.stripe_error} if known.stripe_error else None,
        **source,
    )


def _used() -> CodeAlreadyUsed:
    return CodeAlreadyUsed(
        "This authorization code was used before. Please connect with Stripe again.", field="code"
    )


def _check_link(request: LinkRequest, facts: StartFacts) -> None:
    """A first link needs an event without one; a replacement needs that link, in this mode."""
    if request.replacing is None:
        if facts.link is not None:
            raise AlreadyLinked(
                "A Stripe account is already connected to this event. Disconnect it first.",
                field="event",
            )
    elif facts.link is None or facts.link.id != request.replacing:
        if facts.replaced is None:
            raise NotFound("This account is no longer connected.")
        raise StripeModeMismatch(
            f"This account was connected in {_mode(facts.replaced.livemode)} mode,"
            f" but the platform is in {_mode(facts.platform.livemode)} mode."
        )
    elif request.replaced_account_id not in (None, facts.link.stripe_user_id):
        raise Conflict(CONNECTED_MEANWHILE)


def _check_frontend(request: LinkRequest, livemode: bool) -> None:
    """Refuse a frontend that works with a key of the other mode: its codes would be lost."""
    theirs = mode_of_publishable_key(request.publishable_key)
    if theirs is not None and theirs is not livemode:
        raise StripeModeMismatch(
            f"The website uses Stripe's {_mode(theirs)} mode, but this platform is in"
            f" {_mode(livemode)} mode. Please ask the administrator to set both to the same mode.",
            field="stripe_publishable_key",
        )


def _check_state(request: LinkRequest, facts: StartFacts) -> None:
    """A state belongs to one way of connecting: OAuth's comes with a code, onboarding's alone."""
    if request.state is None:
        if request.state_required and request.method == "oauth":
            raise StateInvalid(
                "The connection must be started on this website. Please connect with Stripe again.",
                field="state",
            )
        return
    is_own = is_trip_of(facts.trip, request.caller, facts)
    is_onboarding = facts.onboarded is not None
    if is_own and request.method == "onboarding" and not is_onboarding:
        raise Invalid(NO_SOURCE, field="code")
    if not is_own or is_onboarding is not (request.method == "onboarding"):
        raise StateInvalid(
            "This connection was not started here, or took too long."
            " Please connect with Stripe again.",
            field="state",
        )


def is_trip_of(trip: StripeAuthorizationRequest | None, caller: Caller, facts: StartFacts) -> bool:
    """Return whether *trip* was started by *caller* for this event and mode, and is unused."""
    return (
        trip is not None
        and trip.user_id == caller.id
        and trip.event_id == facts.event_id
        and trip.livemode == facts.platform.livemode
        and trip.expires_at > facts.now
        and trip.used_at is None
        and (facts.onboarded is None or facts.onboarded.disconnected_at is None)
    )


def _mode(livemode: bool) -> str:
    return "live" if livemode else "test"
