"""Where Stripe tells us what happened to connected accounts."""

import time

from flask import current_app, jsonify, request
from flask.typing import ResponseReturnValue

from app.clients.stripe.reading import parse_object
from app.errors import ServiceError
from app.services.deauthorization.events import LATEST
from app.services.deauthorization.incoming import receive
from app.telemetry.metrics import WEBHOOK_LAG, WEBHOOKS

COUNTED = {
    "account.application.deauthorized",
    "account.updated",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.canceled",
}


def receive_webhook() -> ResponseReturnValue:
    """Receive an event. Any 2xx tells Stripe not to send it again; the signature is the proof."""
    body, signature = request.get_data(), request.headers.get("Stripe-Signature")
    try:
        receive(body, signature, current_app.extensions["stripe"])
    except ServiceError as error:
        is_signed = error.status >= 500
        _count(body if is_signed else b"", "asked-again" if is_signed else "refused")
        raise
    _count(body, "taken")
    return jsonify(received=True)


def _count(body: bytes, result: str) -> None:
    """Count an event that Stripe has signed by its type, and how long it was on its way."""
    content = parse_object(body) or {}
    kind, created = content.get("type"), content.get("created")
    WEBHOOKS.labels(kind if kind in COUNTED else "other", result).inc()
    if isinstance(created, int) and created <= LATEST:
        WEBHOOK_LAG.observe(max(0.0, time.time() - created))
