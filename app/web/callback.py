"""
`/connect/callback`: where Stripe sends the browser back to.

Before anything else the state is looked at: only the one who started the trip finishes it, and
what comes with another user's state, or with none, links nothing. No page repeats the query.
"""

import re

from flask import Response, flash, make_response, redirect, request
from flask.typing import ResponseReturnValue

from app.auth.guard import current_caller
from app.errors import BadRequest, ServiceError
from app.extensions import bound
from app.security.redaction import plain_text
from app.services.linking.authorization_requests import Trip, read_trip
from app.services.linking.link import link_account
from app.services.linking.request import LinkRequest
from app.web import connections, returning
from app.web.addresses import HOME
from app.web.returning import Arrival

CONNECTED = "Stripe account connected."
CANCELLED = "You cancelled at Stripe. Nothing was changed."
NOT_YOURS = (
    "This return from Stripe does not belong to you, or is out of date. Nothing was connected."
    " Open your event and connect with Stripe again."
)
NOTHING_CAME = "Stripe sent no code. Nothing was changed. Please connect with Stripe again."
CODE = re.compile(r"[!-~]{1,255}")
NAME = re.compile(rf"[0-9a-f]{{{returning.NAME_LENGTH}}}")


def arrive() -> ResponseReturnValue:
    """Finish the trip to Stripe, or let it wait until the user has signed in."""
    name = request.args.get("waiting", "")
    if NAME.fullmatch(name) and not current_caller().is_anonymous:
        return _resume(name)
    state = request.args.get("state", "")[:500]
    trip = read_trip(state) if state else None
    if current_caller().is_anonymous:
        return _send_to_sign_in(state, trip)
    if trip is not None and trip.user_id != current_caller().id:
        trip = None
    if "error" in request.args:
        return _tell_refusal(trip)
    if trip is None:
        raise BadRequest(NOT_YOURS)
    if trip.is_onboarding and "refresh" in request.args:  # the address at Stripe has expired
        return connections.start(trip.event_reference, returning.replaced_by(state))
    return _finish(trip, Arrival(state, _code()))


def _code() -> str | None:
    given = request.args.get("code") or request.args.get("authorization_code") or ""
    return given if CODE.fullmatch(given) else None


def _send_to_sign_in(state: str, trip: Trip | None) -> Response:
    """Redirect to the sign-in; a code is kept only if it could still be used."""
    if "error" in request.args:
        flash(_refusal(None), "calm")
    elif trip is not None and trip.is_live:
        name = returning.name_of(state)
        there = f"/sign-in?next={returning.PATH}%3Fwaiting%3D{name}"
        response: Response = make_response(redirect(there, 303))
        returning.keep_waiting(response, Arrival(state, _code()))
        return response
    return make_response(redirect(f"/sign-in?next={HOME}", 303))


def _resume(name: str) -> ResponseReturnValue:
    """Finish what waited for a sign-in; only the person who started it may."""
    arrival = returning.read_waiting(name)
    trip = read_trip(arrival.state) if arrival else None
    if arrival is None or trip is None or trip.user_id != current_caller().id:
        flash(NOT_YOURS, "bad")
        response = make_response(redirect(HOME, 303))
    else:
        response = _finish(trip, arrival)
    returning.forget_waiting(response, name)
    return response


def _finish(trip: Trip, arrival: Arrival) -> Response:
    """Link the account, and redirect to the event with the outcome."""
    try:
        if arrival.code is None and not trip.is_onboarding:
            raise BadRequest(NOTHING_CAME)
        result = link_account(_link_request(trip, arrival), bound("stripe"))
    except ServiceError as refusal:
        flash(refusal.detail, "bad")
    else:
        bound("refreshes").schedule(result.authorization)
        flash(CONNECTED, "good")
    return make_response(redirect(f"/events/{trip.event_reference}", 303))


def _link_request(trip: Trip, arrival: Arrival) -> LinkRequest:
    config, replaced = bound("config"), returning.replaced_by(arrival.state)
    return LinkRequest(
        event=str(trip.event_id),
        caller=current_caller(),
        code=arrival.code,
        state=arrival.state,
        state_required=True,
        timeout=config.stripe_timeout,
        replacing=replaced.authorization_id if replaced else None,
        replaced_account_id=replaced.account_id if replaced else None,
    )


def _tell_refusal(trip: Trip | None) -> Response:
    """Say what Stripe, or the user at Stripe, has refused."""
    flash(_refusal(trip), "calm")
    return make_response(redirect(f"/events/{trip.event_reference}" if trip else HOME, 303))


def _refusal(trip: Trip | None) -> str:
    """Quote Stripe on a trip of the caller's own alone: any link can bring a sentence along."""
    if request.args["error"] == "access_denied":
        return CANCELLED
    said = plain_text(request.args.get("error_description", "")) if trip else ""
    return f"Stripe did not connect the account. {said or 'Please try again.'}"
