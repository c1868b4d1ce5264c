"""
Every route × method × role, for a draft and a published event, against what the contract says.

The least roles below are the contract's, copied by hand: they are not read from the code.
"""

from itertools import product

import pytest

from app.auth.policy import ADMIN, ANYONE, COORGANIZER, ORGANIZER, OWNER, USER, Right
from app.http.routing import Route, register
from app.web.assets import asset_url
from tests.callers import assert_error, document
from tests.contract.routes import api_routes_of
from tests.databases import on_sqlite

LEAST = {
    "GET /health/live": ANYONE,
    "GET /health/ready": ANYONE,
    "GET /metrics": ANYONE,
    "GET /openapi.json": ANYONE,
    "GET /docs": ANYONE,
    "GET /assets/<file>": ANYONE,
    "GET /docs/<file>": ANYONE,
    "POST /auth/session": ANYONE,
    "POST /v1/auth/login": ANYONE,
    "POST /v1/auth/token/refresh": ANYONE,
    "POST /v1/auth/logout": ANYONE,
    "POST /v1/auth/fresh-login": USER,
    "GET /v1/users/<user>": USER,
    "GET /v1/settings": ANYONE,
    "GET /v1/settings/<setting>": ANYONE,
    "PATCH /v1/settings": ADMIN,
    "PATCH /v1/settings/<setting>": ADMIN,
    "GET /v1/events": ANYONE,
    "POST /v1/events": USER,
    "GET /v1/events/<event>": ANYONE,
    "PATCH /v1/events/<event>": COORGANIZER,
    "DELETE /v1/events/<event>": OWNER,
    "GET /v1/events/<event>/users-events-roles": OWNER,
    "POST /v1/users-events-roles": OWNER,
    "DELETE /v1/users-events-roles/<role>": OWNER,
    "GET /v1/stripe-authorizations": USER,
    "POST /v1/stripe-authorizations": ORGANIZER,
    "GET /v1/stripe-authorizations/<authorization>": ANYONE,
    "PATCH /v1/stripe-authorizations/<authorization>": ORGANIZER,
    "DELETE /v1/stripe-authorizations/<authorization>": ORGANIZER,
    "GET /v1/stripe-authorizations/<authorization>/event": ANYONE,
    "GET /v1/stripe-authorizations/<authorization>/relationships/event": ANYONE,
    "GET /v1/events/<event>/stripe-authorization": ANYONE,
    "PATCH /v1/events/<event>/stripe-authorization": ORGANIZER,
    "DELETE /v1/events/<event>/stripe-authorization": ORGANIZER,
    "GET /v1/events/<event>/relationships/stripe-authorization": ANYONE,
    "GET /v1/events/<event>/stripe-link-attempts": ORGANIZER,
    "POST /v1/stripe-authorization-requests": ORGANIZER,
    "GET /v1/stripe-accounts": USER,
    "GET /v1/stripe-accounts/<account>": USER,
    "POST /v1/payment-intents": ORGANIZER,
    "GET /v1/payment-intents/<payment>": COORGANIZER,
    "PATCH /v1/payment-intents/<payment>": ORGANIZER,
    "GET /v1/events/<event>/payment-intents": COORGANIZER,
    "POST /v1/stripe-checks": ADMIN,
    "GET /v1/audit-entries": ADMIN,
    "POST /stripe/webhooks": ANYONE,
    "POST /stripe/webhooks/": ANYONE,
}
LINKAGE = (
    "/v1/stripe-authorizations/<authorization>/relationships/event",
    "/v1/events/<event>/relationships/stripe-authorization",
)
SAMPLE = ("GET /v1/events/<event>", "PATCH /v1/stripe-authorizations/<authorization>")
ROLES = [ANYONE, USER, COORGANIZER, ORGANIZER, OWNER, ADMIN]
# The public part of these is there for everybody, but not of a draft; linkage is never written.
ABOUT_AN_EVENT = "<event>", "<authorization>", "<role>", "<payment>"
BY_BODY = (
    "POST /v1/stripe-authorizations",
    "POST /v1/stripe-authorization-requests",
    "POST /v1/users-events-roles",
    "POST /v1/payment-intents",
)
NOT_BY_ROLE = {
    "POST /auth/session": 400,
    "POST /v1/auth/login": 400,
    "POST /v1/auth/fresh-login": None,
    "POST /v1/auth/logout": None,
    "POST /v1/auth/token/refresh": 401,
    "POST /stripe/webhooks": 400,
    "POST /stripe/webhooks/": 400,
    "GET /v1/stripe-accounts/<account>": None,  # each their own: tests/api/test_stripe_accounts.py
}


@pytest.fixture(name="people")
def _people(make):
    """Somebody for every role, at the event that is given."""

    def people(event, owner):
        return {
            ANYONE: None,
            USER: make.user(),
            COORGANIZER: make.person(event, "coorganizer"),
            ORGANIZER: make.person(event, "organizer"),
            OWNER: owner,
            ADMIN: make.admin(),
        }

    return people


def _cases():
    """Everything on SQLite; where roles are read by SQL, a sample on PostgreSQL too."""
    by_role = [each for each in LEAST if each not in NOT_BY_ROLE]
    for database, routes in (("sqlite", by_role), ("postgresql", SAMPLE)):
        for route, state in product(routes, ("published", "draft")):
            # Reads change nothing, so one event serves every role.
            for roles in [ROLES] if route.startswith("GET ") else [[each] for each in ROLES]:
                name = "-".join(each.name.lower() for each in roles)
                yield pytest.param(database, route, roles, state, id=f"{route}-{name}-{state}")


@pytest.mark.parametrize(
    ("database_url", "route", "roles", "state"), list(_cases()), indirect=["database_url"]
)
def test_a_role_may_do_exactly_what_the_table_says(
    client, make, people, platform, stripe, route, roles, state
):
    owner = make.user()
    event = make.event(owner, state=state)
    stripe.connect(stripe.accounts[0])
    link = make.link(event, stripe_user_id=stripe.accounts[0])
    there = people(event, owner)
    method, rule = route.split(" ")
    path = rule.replace("<event>", str(event.id)).replace("<authorization>", str(link.id))
    path = path.replace("<setting>", "1")
    path = path.replace("<payment>", str(make.payment(event, link).id))
    path = path.replace("/docs/<file>", "/docs/swagger-ui.css")
    path = path.replace("/assets/<file>", asset_url("console.css"))
    path = path.replace("<role>", str(make.role(make.user(), event, "coorganizer").id))
    body = _body(method, rule, event, link, make)
    for role in roles:
        user = there[role]
        caller = client.as_(user) if user else client

        response = caller.send(method, path.replace("<user>", str(user.id if user else 1)), body)

        response.close()  # a file of /docs is sent from the disk
        check_answer(response.status_code, route, role, state)


def check_answer(status, route, role, state):
    """Check that *role* was let in, or refused with the status that says no more than it may."""
    least = LEAST[route]
    about_event = any(each in route for each in ABOUT_AN_EVENT) or route in BY_BODY
    if role == ANYONE and least > ANYONE:
        assert status == 401, role
    elif about_event and state == "draft" and role < COORGANIZER:
        assert status == 404, role
    elif route == "POST /v1/users-events-roles" and role < OWNER or role < least:
        assert status == 403, role
    else:
        assert status not in (401, 403, 404, 405) and status < 500, role


def _body(method, rule, event, link, make):
    if method in ("GET", "DELETE"):
        return None
    linkage = {"event": {"type": "event", "id": str(event.id)}}
    if rule == "/v1/events" and method == "POST":
        return document(
            "event",
            name="Fair",
            starts_at="2027-01-01T10:00:00Z",
            ends_at="2027-01-01T12:00:00Z",
            timezone="UTC",
        )
    if rule == "/v1/events/<event>":
        return document("event", event.id, name="Fair")
    if rule.startswith("/v1/settings"):
        return document("setting", 1)
    if rule == "/v1/stripe-authorizations" or rule.endswith("/stripe-authorization"):
        id_ = link.id if method == "PATCH" else None
        relationships = linkage if method == "POST" else None
        return document("stripe-authorization", id_, relationships, stripe_auth_code="ac_1")
    if rule == "/v1/stripe-authorizations/<authorization>":
        return document("stripe-authorization", link.id, stripe_auth_code="ac_1")
    if "payment-intents" in rule:
        return _payment(rule, linkage)
    if rule == "/v1/stripe-authorization-requests":
        return document("stripe-authorization-request", None, linkage)
    if rule == "/v1/users-events-roles":
        email = make.user().email
        return document("users-events-role", None, linkage, role="organizer", email=email)
    return None


def _payment(rule, linkage):
    if rule.endswith("<payment>"):
        return document("payment-intent", 1, status="canceled")
    given = {"amount": 100, "currency": "EUR", "idempotency_key": "order-1"}
    return document("payment-intent", None, linkage, **given)


@on_sqlite
@pytest.mark.parametrize("route", list(NOT_BY_ROLE))
def test_routes_that_ask_for_something_else_than_a_role_refuse_without_it(client, route):
    method, rule = route.split(" ")

    response = client.send(method, rule, None if method == "GET" else {})

    assert response.status_code == (NOT_BY_ROLE[route] or 401)


def test_every_route_has_a_right_and_every_right_a_route(app):
    linkage = {f"{method} {rule}" for rule in LINKAGE for method in ("POST", "PATCH", "DELETE")}

    assert set(LEAST) | linkage == api_routes_of(app)


@on_sqlite
@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name.lower())
@pytest.mark.parametrize("rule", LINKAGE)
def test_writes_to_a_linkage_are_refused_to_everybody_before_anything_is_looked_up(
    client, make, people, rule, role
):
    owner = make.user()
    user = people(make.event(owner), owner)[role]
    path = rule.replace("<event>", "99999").replace("<authorization>", "99999")

    response = (client.as_(user) if user else client).patch(path, {"data": None})

    assert response.status_code == 403


def test_a_route_nobody_gave_a_right_is_refused(app, client):
    app.add_url_rule("/v1/forgotten", "forgotten", lambda: "open")

    response = app.test_client().get("/v1/forgotten")

    assert response.status_code == 500
    assert "open" not in response.text


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_administrators_route_refuses_others_though_its_view_checks_nothing(
    app, client, make, method
):
    register(app, [Route(("/v1/bare",), lambda: "open", {method: Right(ADMIN, "open this")})])

    response = client.as_(make.user()).send(method, "/v1/bare", {} if method == "POST" else None)

    assert_error(response, 403, "forbidden")
