"""Connecting and disconnecting the Stripe account of an event."""

import re

from flask import Response, flash, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.auth.guard import current_caller
from app.auth.policy import CONNECT, DISCONNECT, PAY, require
from app.errors import BadRequest, NotFound, ServiceError
from app.extensions import bound
from app.services.events.queries import read_event
from app.services.linking.authorization_requests import AuthorizationRequest, read_trip
from app.services.linking.connect import request_connection
from app.services.linking.link import link_account
from app.services.linking.request import LinkRequest
from app.services.linking.summary import count_payments, other_events
from app.services.linking.unlink import unlink_account
from app.services.payments.trial import send_test_payment
from app.web import returning
from app.web.returning import Replaced
from app.web.wording import money, payment_badge

NOT_CONNECTED = "This account is not connected any more."
KEY = re.compile(r"[\w-]{8,64}", re.ASCII)
DISCONNECTED = {
    "done": "Stripe account disconnected.",
    "shared": "Stripe account disconnected from this event. Other events go on using it.",
    "pending": "Stripe account disconnected here. Stripe will be told as soon as it answers.",
    "kept": "Stripe account disconnected. You can use it again for your events.",
}


def connect(event: str) -> ResponseReturnValue:
    """Redirect to Stripe to connect an account."""
    return start(event, replaced=None)


def reconnect(event: str) -> ResponseReturnValue:
    """Redirect to Stripe to connect an account in place of the one that is connected."""
    link = read_event(event, current_caller()).stripe_authorization
    return start(event, Replaced(link.id, link.stripe_user_id) if link else None)


def start(event: str, replaced: Replaced | None) -> ResponseReturnValue:
    """Redirect to Stripe; the account that comes back takes the place of *replaced*."""
    found = read_event(event, current_caller())
    require(found.role, CONNECT)
    try:
        trip = request_trip(event)
    except ServiceError as refusal:
        flash(refusal.detail, "bad")
        return redirect(f"/events/{found.reference}", 303)
    response: Response = make_response(redirect(trip.authorize_url, 303))
    if replaced is not None:
        returning.remember_replaced(response, trip.state, replaced, trip.expires_at)
    return response


def request_trip(event: str) -> AuthorizationRequest:
    """Return where the browser goes. Raises what `request_connection` raises."""
    address = returning.own_address()
    return request_connection(
        event,
        current_caller(),
        redirect_uri=address,
        allowed_uris=[address],
        connect_url=bound("config").stripe_connect_url,
        stripe=bound("stripe"),
    )


def finish(event: str) -> ResponseReturnValue:
    """Link an account whose onboarding is finished; else redirect to Stripe to finish it."""
    found = read_event(event, current_caller())
    require(found.role, CONNECT)
    try:
        trip = request_trip(event)
    except ServiceError as refusal:
        flash(refusal.detail, "bad")
        return redirect(f"/events/{found.reference}", 303)
    begun = read_trip(trip.state)
    if begun is None or not begun.is_onboarding:  # the method was switched while the page was open
        return redirect(trip.authorize_url, 303)
    wanted = LinkRequest(
        event=str(found.id),
        caller=current_caller(),
        state=trip.state,
        timeout=bound("config").stripe_timeout,
    )
    if _link(wanted) == "onboarding-incomplete":
        return redirect(trip.authorize_url, 303)
    return redirect(f"/events/{found.reference}", 303)


def use_account(event: str) -> ResponseReturnValue:
    """Link an account that was connected before."""
    found = read_event(event, current_caller())
    require(found.role, CONNECT)
    wanted = LinkRequest(
        event=str(found.id),
        caller=current_caller(),
        account_id=request.form.get("account", "")[:255],
        timeout=bound("config").stripe_timeout,
    )
    _link(wanted)
    return redirect(f"/events/{found.reference}", 303)


def _link(wanted: LinkRequest) -> str | None:
    """Link the account, and say so on the next page; return the code of a refusal."""
    try:
        link_account(wanted, bound("stripe"))
    except ServiceError as refusal:
        if refusal.code != "onboarding-incomplete":
            flash(refusal.detail, "bad")
        return refusal.code
    flash("Stripe account connected.", "good")
    return None


def pay_for_test(event: str) -> ResponseReturnValue:
    """Send a test payment to the account, and say what became of it."""
    found = read_event(event, current_caller())
    require(found.role, PAY)
    there = f"/events/{found.reference}"
    key = request.form.get("form", "")
    try:
        if not KEY.fullmatch(key):
            raise BadRequest("Reload the page and try again.")
        there_whole = f"{bound('config').public_url}{there}"
        paid = send_test_payment(event, current_caller(), key, bound("stripe"), there_whole)
    except ServiceError as refusal:
        flash(refusal.detail, "bad")
    else:
        amount, badge = money(paid.amount, paid.currency), payment_badge(paid.status)
        flash(f"Test payment of {amount}: {badge.text.lower()}.", badge.tone)
    return redirect(there, 303)


def disconnect(event: str) -> ResponseReturnValue:
    """Ask whether the account should really be disconnected."""
    found = read_event(event, current_caller())
    require(found.role, DISCONNECT)
    if found.stripe_authorization is None:
        return redirect(f"/events/{found.reference}", 303)
    account = found.stripe_authorization
    return render_template(
        "disconnect.html",
        event=found,
        account=account,
        others=other_events(account.id, current_caller()),
        payments=count_payments(account.stripe_user_id, account.livemode),
    )


def disconnect_now(event: str, authorization: str) -> ResponseReturnValue:
    """Disconnect the account that was shown; no error if it is no longer connected."""
    found = read_event(event, current_caller())
    require(found.role, DISCONNECT)
    link = found.stripe_authorization
    try:
        if link is None or str(link.id) != authorization:
            raise NotFound(NOT_CONNECTED)
        shown = request.form.get("account")
        told = unlink_account(link.id, current_caller(), bound("stripe"), account_id=shown)
    except NotFound:
        flash(NOT_CONNECTED, "good")
    except ServiceError as refusal:
        flash(refusal.detail, "bad")
    else:
        flash(DISCONNECTED[told], "good")
    return redirect(f"/events/{found.reference}", 303)
