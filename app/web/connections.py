"""Connecting and disconnecting the Stripe account of an event."""

from flask import Response, current_app, flash, make_response, redirect, render_template
from flask.typing import ResponseReturnValue

from app.auth.guard import current_caller
from app.auth.policy import CONNECT, DISCONNECT, require
from app.errors import ServiceError
from app.extensions import bound
from app.services.events.queries import read_event
from app.services.linking.authorization_requests import create_request
from app.services.linking.summary import other_events
from app.services.linking.unlink import unlink_account
from app.web import returning

DISCONNECTED = {
    "done": "Stripe account disconnected.",
    "shared": "Stripe account disconnected from this event. Other events go on using it.",
    "pending": "Stripe account disconnected here. Stripe will be told as soon as it answers.",
    "kept": "Stripe account disconnected. You can use it again for your events.",
}


def connect(event: str) -> ResponseReturnValue:
    """Lead to Stripe, to connect an account."""
    return _start(event, replacing=None)


def reconnect(event: str) -> ResponseReturnValue:
    """Lead to Stripe, to connect an account in the place of the one that is connected."""
    link = read_event(event, current_caller()).stripe_authorization
    return _start(event, replacing=link.id if link else None)


def _start(event: str, replacing: int | None) -> ResponseReturnValue:
    found = read_event(event, current_caller())
    require(found.role, CONNECT)
    address, config = returning.own_address(), bound("config")
    try:
        request = create_request(
            event,
            current_caller(),
            redirect_uri=address,
            allowed_uris=[address],
            connect_url=config.stripe_connect_url,
        )
    except ServiceError as refusal:
        flash(refusal.detail, "bad")
        return redirect(f"/events/{found.identifier}", 303)
    response: Response = make_response(redirect(request.authorize_url, 303))
    if replacing is not None:
        returning.remember_replacing(response, request.state, replacing)
    return response


def disconnect(event: str) -> ResponseReturnValue:
    """Ask whether the account is really to be disconnected."""
    found = read_event(event, current_caller())
    require(found.role, DISCONNECT)
    if found.stripe_authorization is None:
        return redirect(f"/events/{found.identifier}", 303)
    others = other_events(found.stripe_authorization.id, current_caller())
    return render_template(
        "disconnect.html", event=found, account=found.stripe_authorization, others=others
    )


def disconnect_now(event: str, authorization: str) -> ResponseReturnValue:
    """Disconnect the account that was shown; one that is not connected any more is as good."""
    found = read_event(event, current_caller())
    require(found.role, DISCONNECT)
    link = found.stripe_authorization
    if link is None or str(link.id) != authorization:
        flash("This account is not connected any more.", "good")
        return redirect(f"/events/{found.identifier}", 303)
    try:
        told = unlink_account(link.id, current_caller(), current_app.extensions["stripe"])
    except ServiceError as refusal:
        flash(refusal.detail, "bad")
    else:
        flash(DISCONNECTED[told], "good")
    return redirect(f"/events/{found.identifier}", 303)
