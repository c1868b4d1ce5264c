"""Service tokens: what a program may do with each scope, and what nobody learns of the token."""

import json
from datetime import timedelta

import pytest

from app.auth.service_tokens import create_token, list_tokens, revoke_token
from app.db.transactions import transaction
from app.extensions import db
from app.models import ServiceToken
from tests.callers import Client, assert_error, document
from tests.databases import on_both, on_sqlite
from tests.processes import run_manage

pytestmark = on_sqlite


class Program(Client):
    """Sends a service token as a bearer token."""

    def send(self, method, path, body=None, **headers):
        bearer = {"Authorization": f"Bearer {self.token}"}
        return Client(self.app).send(method, path, body, **{**bearer, **headers})


@pytest.fixture(name="event")
def _event(make, owner):
    return make.event(owner, state="draft")


@pytest.fixture(name="published")
def _published(make, owner):
    return make.event(owner, state="published")


@pytest.fixture(name="service")
def _service(client):
    """Returns a caller with a new service token of those scopes."""

    def service(*scopes, event_ids=None, expires_in=None):
        made = create_token("test", list(scopes), event_ids=event_ids, expires_in=expires_in)
        return Program(client.app, made.token)

    return service


@pytest.fixture(name="linked")
def _linked(make, stripe, platform, event, published):
    stripe.connect(stripe.accounts[0])
    return [make.link(each, stripe_user_id=stripe.accounts[0]) for each in (event, published)]


def payment(event, key="order-1", **attributes):
    linkage = {"event": {"type": "event", "id": str(event.id)}}
    given = {"amount": 1999, "idempotency_key": key, **attributes}
    return document("payment-intent", None, linkage, **given)


@on_both
def test_with_the_scope_read_a_program_sees_what_coorganizers_see(service, event, linked):
    program = service("read")

    link = program.get(f"/v1/events/{event.id}/stripe-authorization")

    assert program.get(f"/v1/events/{event.id}").status_code == 200
    assert link.json["data"]["attributes"]["stripe-user-id"] == linked[0].stripe_user_id
    assert len(program.get("/v1/stripe-authorizations").json["data"]) == 2
    assert program.get(f"/v1/events/{event.id}/payment-intents").status_code == 200


def test_at_other_events_than_its_own_it_is_a_stranger(service, event, published, linked):
    program = service("read", "payments", event_ids=[published.id])

    assert program.get(f"/v1/events/{event.id}").status_code == 404
    assert program.post("/v1/payment-intents", payment(event)).status_code == 404
    page = program.get("/v1/stripe-authorizations").json["data"]
    assert [each["id"] for each in page] == [str(linked[1].id)]


def test_a_stranger_at_a_published_event_reads_what_is_public_and_pays_nothing(
    service, event, published, linked
):
    program = service("read", "payments", event_ids=[event.id])

    link = program.get(f"/v1/events/{published.id}/stripe-authorization")

    assert "livemode" not in link.json["data"]["attributes"]
    assert_error(program.post("/v1/payment-intents", payment(published)), 403, "forbidden")
    assert program.get(f"/v1/events/{published.id}/payment-intents").status_code == 403


def test_with_the_scope_payments_a_program_creates_reads_and_cancels_them(service, event, linked):
    program = service("payments", event_ids=[event.id])

    created = program.post("/v1/payment-intents", payment(event))

    path = f"/v1/payment-intents/{created.json['data']['id']}"
    assert created.status_code == 201
    assert program.get(path).status_code == 200
    assert len(program.get(f"/v1/events/{event.id}/payment-intents").json["data"]) == 1
    body = document("payment-intent", created.json["data"]["id"], status="canceled")
    assert program.patch(path, body).json["data"]["attributes"]["status"] == "canceled"


def test_it_may_pay_in_live_mode_where_organizers_may_not(
    client, service, make, stripe, owner, published
):
    make.platform(stripe, "production")
    stripe.connect(stripe.accounts[0], livemode=True)
    make.link(published, livemode=True, stripe_user_id=stripe.accounts[0])

    by_program = service("payments").post("/v1/payment-intents", payment(published))
    by_owner = client.as_(owner).post("/v1/payment-intents", payment(published, "order-2"))

    assert by_program.status_code == 201
    assert by_program.json["data"]["attributes"]["livemode"] is True
    assert_error(by_owner, 403, "forbidden")


@pytest.mark.parametrize("scope", ["read", "payments"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/events"),
        ("PATCH", "/v1/events/1"),
        ("DELETE", "/v1/events/1"),
        ("POST", "/v1/stripe-authorizations"),
        ("DELETE", "/v1/events/1/stripe-authorization"),
        ("GET", "/v1/events/1/stripe-link-attempts"),
        ("GET", "/v1/events/1/users-events-roles"),
        ("PATCH", "/v1/settings"),
        ("GET", "/v1/audit-entries"),
        ("GET", "/v1/users/me"),
    ],
)
def test_every_other_route_that_is_not_public_is_forbidden(service, event, scope, method, path):
    body = {} if method in ("POST", "PATCH") else None

    assert_error(service(scope).send(method, path, body), 403, "forbidden")


def test_the_scope_read_pays_nothing(service, event, linked):
    assert_error(service("read").post("/v1/payment-intents", payment(event)), 403, "forbidden")


@on_both
def test_a_token_ends_at_once_when_it_is_revoked(service, event):
    program = service("read")
    assert program.get(f"/v1/events/{event.id}").status_code == 200

    (token,) = list_tokens()
    revoke_token(token.id)

    assert_error(program.get(f"/v1/events/{event.id}"), 401, "unauthenticated")


@on_both
def test_a_token_ends_when_it_expires(service, event):
    expired = service("read", expires_in=-timedelta(seconds=1))

    assert_error(expired.get(f"/v1/events/{event.id}"), 401, "unauthenticated")


@pytest.mark.parametrize("token", ["oest_", "oest_" + "a" * 43, "oest_" + "a" * 500])
def test_an_unknown_token_is_refused_even_where_none_is_needed(client, token):
    assert_error(Program(client.app, token).get("/v1/settings"), 401, "unauthenticated")


def test_the_token_itself_is_kept_nowhere(service):
    token = service("read").token

    with transaction() as session:
        row = session.query(ServiceToken).one()
        kept = str([getattr(row, column.key) for column in ServiceToken.__table__.columns])
    assert token.removeprefix("oest_") not in kept


def test_the_last_use_is_noted(service, event):
    service("read").get(f"/v1/events/{event.id}")

    db.session.rollback()
    assert list_tokens()[0].last_used_at is not None


def test_the_commands_create_list_and_revoke(migrated_postgres_url):
    env = {"DATABASE_URL": migrated_postgres_url}
    created = run_manage("tokens", "create", "ticketing", "--scope", "payments", env=env)
    token = json.loads(created.stdout)

    listed = run_manage("tokens", "list", env=env)
    revoked = run_manage("tokens", "revoke", str(token["id"]), env=env)
    unknown = run_manage("tokens", "revoke", "99", env=env)

    assert sorted(token) == ["id", "name", "token"]
    assert len(token["token"]) == len("oest_") + 43
    assert "ticketing" in listed.stdout
    assert token["token"] not in listed.stdout
    assert (revoked.returncode, unknown.returncode) == (0, 1)
