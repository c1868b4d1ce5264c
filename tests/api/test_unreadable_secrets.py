"""A stored secret that no configured key opens: the same answer at every door, and one log line."""

import json

import pytest
from cryptography.fernet import Fernet
from structlog.testing import CapturingLogger

from app.db.transactions import transaction
from app.models import PaymentIntent, Setting, StripeLinkAttempt
from app.security.crypto import Cipher
from app.services.rotation import rotate_secrets
from tests.callers import JSON_API, document, link_document


@pytest.fixture(name="log")
def _log(monkeypatch):
    log = CapturingLogger()
    monkeypatch.setattr("app.http.error_handlers.log", log)
    return log


@pytest.fixture(autouse=True)
def _lost(platform):
    """The platform's secret key is sealed with a key that nobody has any more."""
    seal_with_a_lost_key("sealed_stripe_test_secret_key")


def seal_with_a_lost_key(column):
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        lost = Cipher([Fernet.generate_key().decode()])
        setattr(setting, column, lost.seal("sk_test_CANARY", setting.secret_context(column)))


def payment(event, code):
    linkage = {"event": {"type": "event", "id": str(event.id)}}
    return document("payment-intent", None, linkage, amount=1999, idempotency_key="order-1")


def trip(event, code):
    linkage = {"event": {"type": "event", "id": str(event.id)}}
    return document("stripe-authorization-request", None, linkage)


@pytest.mark.parametrize(
    ("path", "body_of"),
    [
        ("/v1/payment-intents", payment),
        ("/v1/stripe-authorizations", link_document),
        ("/v1/stripe-authorization-requests", trip),
    ],
)
def test_the_request_fails_and_the_log_says_which_secret_and_what_to_do(
    path, body_of, client, owner, event, stripe, log
):
    headers = {"Authorization": f"JWT {client.as_(owner).token}"}
    body = json.dumps(body_of(event, stripe.code()))

    response = client.app.test_client().post(
        path, data=body, headers=headers, content_type=JSON_API
    )

    assert response.status_code == 500
    assert response.json["errors"][0]["code"] == "internal"
    assert "secret" not in response.text
    ((method, (message,), said),) = [call[:3] for call in log.calls]
    assert (method, message) == ("error", "secret unreadable")
    assert "settings.sealed_stripe_test_secret_key" in said["reason"]
    assert "ENCRYPTION_KEYS" in said["reason"]
    assert stripe.codes_seen() == []
    with transaction() as session:
        assert not session.query(PaymentIntent).count()
        assert not session.query(StripeLinkAttempt).count()


def test_once_what_a_lost_key_sealed_is_forgotten_accounts_are_linked_again(
    app, make, link, stripe
):
    seal_with_a_lost_key("sealed_code_digest_key")

    rotate_secrets(app.extensions["cipher"], forget_unreadable=True)
    make.platform(stripe)

    assert link().status_code == 201
