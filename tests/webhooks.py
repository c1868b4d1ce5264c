"""Webhooks as Stripe sends them: events, signed with the public `stripe` package."""

import json
import secrets
import time
from typing import Any

from stripe import WebhookSignature
from werkzeug.test import TestResponse

from tests.callers import Client
from tests.stripe_world import StripeWorld

DEAUTHORIZED = "account.application.deauthorized"
UPDATED = "account.updated"


def event(type_: str, account: str | None, **members: Any) -> dict[str, Any]:
    """An event of a connected account; *members* are put over those of the envelope."""
    return {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": None,
        "account": account,
        "created": int(time.time()) + 2,  # after everything that the test has done so far
        "data": {"object": {}},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": type_,
        **members,
    }


def deauthorized(account: str, client_id: str, **members: Any) -> dict[str, Any]:
    """Say that *account* was cut off from the application *client_id*."""
    application = {"id": client_id, "object": "application", "name": None}
    return event(DEAUTHORIZED, account, data={"object": application}, **members)


def sign(payload: str, secret: str, at: float | None = None) -> str:
    """Return the header by which Stripe signs *payload*."""
    return WebhookSignature.generate_signature_header(payload, secret, int(at or time.time()))


class Webhooks:
    """Stripe's side of the endpoint, with the secrets that the platform was given."""

    def __init__(self, client: Client, stripe: StripeWorld) -> None:
        self.client, self.settings = client, stripe.settings
        self.secret = self.settings["stripe-test-webhook-secret"]
        self.live_secret = self.settings["stripe-webhook-secret"]
        self.client_id = self.settings["stripe-test-client-id"]
        self.live_client_id = self.settings["stripe-client-id"]

    def deauthorized(self, account: str, **members: Any) -> dict[str, Any]:
        """An event that cuts *account* off from the platform, in the mode of *members*."""
        client_id = self.live_client_id if members.get("livemode") else self.client_id
        return deauthorized(account, client_id, **members)

    def send(
        self, content: Any, *, secret: str | None = None, at: float | None = None
    ) -> TestResponse:
        """Deliver *content*, signed now with the test secret, unless told otherwise."""
        payload = content if isinstance(content, str) else json.dumps(content, indent=2)
        return self.send_raw(payload, sign(payload, self.secret if secret is None else secret, at))

    def send_raw(self, payload: str | bytes, signature: str | None) -> TestResponse:
        """Deliver *payload* under that header, or without one."""
        headers = {"Content-Type": "application/json; charset=utf-8", "Accept": "*/*; q=0.5"}
        if signature is not None:
            headers["Stripe_Signature"] = signature
        return self.client.post("/stripe/webhooks", payload, **headers)
