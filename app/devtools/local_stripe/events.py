"""The events Stripe sends to a Connect endpoint, in the shape it sends them."""

from .account_shape import as_stripe_shows
from .identifiers import mint
from .payment_shape import as_stripe_shows as payment_as_stripe_shows

API_VERSION = "2026-06-24"


def application_event(kind, connection, created):
    """Return an event that names the account at its top; `data.object` is the *application*."""
    application = connection.application
    named = application_object(application)
    return event(kind, connection.account.id, application.livemode, named, created)


def application_object(application):
    return {"id": application.client_id, "object": "application", "name": application.platform}


def account_updated(connection, created):
    shown = as_stripe_shows(connection.account)
    livemode = connection.application.livemode
    return event("account.updated", connection.account.id, livemode, shown, created)


def payment_event(kind, intent, created, request_id):
    """Return a payment's event, which says which request caused it."""
    shown = payment_as_stripe_shows(intent)
    caused = {"id": request_id, "idempotency_key": intent.idempotency_key if request_id else None}
    made = event(kind, intent.account_id, intent.livemode, shown, created)
    return {**made, "request": caused}


def event(kind, account_id, livemode, about, created):
    is_versioned = about.get("object") != "application"
    return {
        "id": mint("evt_", 24),
        "object": "event",
        "account": account_id,
        "api_version": API_VERSION if is_versioned else None,
        "created": int(created),
        "data": {"object": about},
        "livemode": livemode,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
