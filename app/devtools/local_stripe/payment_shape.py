"""A payment intent as api.stripe.com shows it."""

from typing import Any

from flask import request

from .ledger import PaymentIntent

CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)


def as_stripe_shows(intent: PaymentIntent) -> dict[str, Any]:
    """Return the intent's JSON object, its client secret included, as in events too."""
    is_paid = intent.status == "succeeded"
    redirects = "always" if intent.may_redirect else "never"
    automatic = {"allow_redirects": redirects, "enabled": True}
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": 0,
        "amount_received": intent.amount if is_paid else 0,
        "application": intent.application,
        "application_fee_amount": intent.application_fee_amount,
        "automatic_payment_methods": automatic if intent.is_automatic else None,
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": "automatic_async",
        "client_secret": intent.client_secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "customer": None,
        "description": intent.description,
        "last_payment_error": intent.last_error,
        "latest_charge": intent.charge,
        "livemode": intent.livemode,
        "metadata": intent.metadata,
        "next_action": next_action(intent),
        "on_behalf_of": None,
        "payment_method": intent.payment_method,
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "status": intent.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def next_action(intent: PaymentIntent) -> dict[str, Any] | None:
    """Return what the payer is to do: their bank asks on the dashboard's page of payments."""
    if intent.status != "requires_action":
        return None
    if intent.return_url is None:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    return {
        "type": "redirect_to_url",
        "redirect_to_url": {
            "return_url": intent.return_url,
            "url": f"{request.host_url}dashboard/payments/{intent.id}",
        },
    }
