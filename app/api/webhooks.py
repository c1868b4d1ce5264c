"""Where Stripe tells us what happened to connected accounts."""

from flask import current_app, jsonify, request
from flask.typing import ResponseReturnValue

from app.services.deauthorization.incoming import receive


def receive_webhook() -> ResponseReturnValue:
    """Take an event. Any 2xx tells Stripe not to send it again; the signature is the proof."""
    receive(
        request.get_data(),
        request.headers.get("Stripe-Signature"),
        current_app.extensions["stripe"],
    )
    return jsonify(received=True)
