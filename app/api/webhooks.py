"""Where Stripe tells us what happened to connected accounts."""

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from app.services.webhooks import receive

blueprint = Blueprint("webhooks", __name__)


@blueprint.post("/stripe/webhooks")
def receive_webhook() -> ResponseReturnValue:
    """Take an event. Any 2xx tells Stripe not to send it again; the signature is the proof."""
    receive(
        request.get_data(),
        request.headers.get("Stripe-Signature"),
        current_app.extensions["stripe"],
    )
    return jsonify(received=True)
