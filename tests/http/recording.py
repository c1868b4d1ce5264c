"""
Records the examples of the OpenAPI document: a story played against the running application, and
of each request the body that was sent and the one that came back.

`make examples` writes them to `app/http/openapi/examples.json`; a test plays the story again.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.devtools.stripe_emulator import Emulator, Options
from app.routes import ROUTES
from app.services.users import create_user
from config import ROOT
from tests.callers import Client, document, link_document
from tests.conftest import make_app, migrate
from tests.factories import Factory
from tests.stripe_world import StripeWorld

FILE = ROOT / "app/http/openapi/examples.json"
PASSWORD = "correct horse battery"
# What differs each time, and what stands for it. Values keep their form.
REPLACED = [
    (
        r"(?!2027-05-01)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)",
        "2026-05-04T09:30:00+00:00",
    ),
    (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "eyJhbGciOiJIUzI1NiIs.eyJpZGVudGl0eSI6MX0.4HRxgG3mPZq1"),
    (r"http://127\.0\.0\.1:\d+", "https://connect.stripe.com"),
    (r"http(s?)%3A%2F%2F127\.0\.0\.1(%3A|:)\d+", "https%3A%2F%2Fpay.example.org"),
    (r"^[0-9a-f]{16}$", "4a7ce0c083d73acb"),
    (r"\b[0-9a-f]{32}\b", "9f1c2b7a64d84c0e8f3a5b6c7d8e9f00"),
    (r"state=[\w-]{40,}", "state=3q2-7wAAbCkT5vX0r1mYw8sJfGhLpZxQnUeIoKtDcVs"),
    (r"^[\w-]{43}$", "3q2-7wAAbCkT5vX0r1mYw8sJfGhLpZxQnUeIoKtDcVs"),
    (r"\bac_\w+", "ac_J2xK8vQ4mZ7tR1nL5pW9sD3f"),
    (r"\bpi_(\w+)_secret_\w+", r"pi_3PzExampleExampleExample_secret_ExampleExample"),
    (r"\bpi_(?!3PzExample)\w+", "pi_3PzExampleExampleExample"),
]

Example = dict[str, Any]


class Recorder:
    """Sends requests as `Client` does, and keeps what went to and fro by operation."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.examples: dict[str, Example] = {}

    def send(self, who: Client, method: str, address: str, body: Any = None, **values: Any) -> Any:
        """Send *body* to *address*, a template of the table of routes; return the JSON answer."""
        query = values.pop("query", "")
        path = re.sub(r"<(\w+)>", lambda name: str(values[name[1]]), address) + query
        response = who.send(method, path, body)
        example = self.examples.setdefault(f"{method} {address}", {"responses": {}})
        if body is not None and response.status_code < 300:
            example["request"] = _stable(body)
        example["responses"][str(response.status_code)] = _stable(response.json)
        return response.json


def _stable(value: Any) -> Any:
    """Replace what differs each time."""
    if isinstance(value, dict):
        named = {"identifier": "a4ab48fe"} if "identifier" in value else {}
        return {name: _stable(each) for name, each in value.items()} | named
    if isinstance(value, list):
        return [_stable(each) for each in value]
    if isinstance(value, str):
        for pattern, replacement in REPLACED:
            value = re.sub(pattern, replacement, value)
    return value


def record(client: Client, make: Factory, stripe: StripeWorld) -> dict[str, Example]:
    """Play the story on an empty database; return the examples by method and address."""
    recorder = Recorder(client)
    owner = create_user("organizer@example.org", PASSWORD)
    make.user("colleague@example.org")
    admin = client.as_(create_user("admin@example.org", PASSWORD, is_admin=True), is_fresh=True)
    organizer = client.as_(owner)
    _sign_in(recorder)
    _set_up(recorder, admin, stripe)
    event = _make_event(recorder, organizer)
    link = _link(recorder, organizer, stripe, event)
    _pay(recorder, organizer, event)
    _look_around(recorder, organizer, admin, link)
    _leave(recorder, organizer, event, link)
    return dict(sorted(recorder.examples.items()))


def _sign_in(recorder: Recorder) -> None:
    anybody = recorder.client
    given = {"email": "organizer@example.org", "password": PASSWORD}
    remembered = {**given, "remember-me": True, "include-in-response": True}
    recorder.send(anybody, "POST", "/auth/session", {"email": "organizer@example.org"})
    recorder.send(anybody, "POST", "/auth/session", {**given, "password": "wrong guess"})
    tokens = recorder.send(anybody, "POST", "/auth/session", remembered)
    refreshing = Client(anybody.app, tokens["refresh_token"])
    recorder.send(refreshing, "POST", "/v1/auth/token/refresh")
    caller = Client(anybody.app, tokens["access_token"])
    recorder.send(caller, "POST", "/v1/auth/fresh-login", {"password": PASSWORD})
    recorder.send(caller, "GET", "/v1/users/<user>", user="me")
    recorder.send(caller, "POST", "/v1/auth/logout")
    recorder.send(caller, "GET", "/v1/users/<user>", user="me")
    recorder.send(anybody, "GET", "/health/live")
    recorder.send(anybody, "GET", "/health/ready")


def _set_up(recorder: Recorder, admin: Client, stripe: StripeWorld) -> None:
    keys = {name.replace("-", "_"): value for name, value in stripe.settings.items()}
    settings = document("setting", 1, stripe_mode="debug", **keys)
    recorder.send(admin, "PATCH", "/v1/settings", settings)
    recorder.examples["PATCH /v1/settings"]["request"] = document(
        "setting", 1, stripe_mode="debug", stripe_test_client_id="ca_J2xK8vQ4mZ7tR1nL5pW9sD3f"
    )
    recorder.send(recorder.client, "GET", "/v1/settings")
    recorder.send(admin, "PATCH", "/v1/settings", document("setting", 1, stripe_mode="sideways"))
    recorder.send(admin, "POST", "/v1/stripe-checks", document("stripe-check"))


def _make_event(recorder: Recorder, organizer: Client) -> str:
    wanted = document(
        "event",
        name="Open Tech Summit",
        starts_at="2027-05-01T09:00:00+02:00",
        ends_at="2027-05-01T18:00:00+02:00",
        timezone="Europe/Berlin",
        state="published",
        payment_country="DE",
        payment_currency="EUR",
        can_pay_by_stripe=True,
    )
    made = recorder.send(organizer, "POST", "/v1/events", wanted)
    event = made["data"]["id"]
    del wanted["data"]["attributes"]["name"]
    recorder.send(organizer, "POST", "/v1/events", wanted)
    renamed = document("event", event, name="Open Tech Summit 2027")
    recorder.send(organizer, "PATCH", "/v1/events/<event>", renamed, event=event)
    helper = document(
        "users-events-role",
        relationships={"event": {"type": "event", "id": event}},
        role="coorganizer",
        email="colleague@example.org",
    )
    role = recorder.send(organizer, "POST", "/v1/users-events-roles", helper)["data"]["id"]
    recorder.send(organizer, "GET", "/v1/events/<event>/users-events-roles", event=event)
    recorder.send(organizer, "DELETE", "/v1/users-events-roles/<role>", role=role)
    return str(event)


def _link(recorder: Recorder, organizer: Client, stripe: StripeWorld, event: str) -> str:
    anybody, links = recorder.client, "/v1/stripe-authorizations"
    request = document(
        "stripe-authorization-request", relationships={"event": {"type": "event", "id": event}}
    )
    recorder.send(organizer, "POST", "/v1/stripe-authorization-requests", request)
    refused = link_document(event, "ac_never_issued", stripe_publishable_key="pk_test_platform")
    recorder.send(organizer, "POST", links, refused)
    code = stripe.code(stripe.accounts[0])
    good = link_document(event, code, stripe_publishable_key="pk_test_platform")
    link = recorder.send(organizer, "POST", links, good)["data"]["id"]
    again = link_document(event, stripe.code(), stripe_publishable_key="pk_test_platform")
    recorder.send(organizer, "POST", links, again)
    recorder.send(organizer, "GET", links)
    recorder.send(organizer, "GET", f"{links}/<authorization>", authorization=link)
    recorder.send(anybody, "GET", f"{links}/<authorization>/event", authorization=link)
    recorder.send(
        anybody, "GET", f"{links}/<authorization>/relationships/event", authorization=link
    )
    recorder.send(anybody, "GET", "/v1/events/<event>/stripe-authorization", event=event)
    recorder.send(
        anybody, "GET", "/v1/events/<event>/relationships/stripe-authorization", event=event
    )
    recorder.send(organizer, "GET", "/v1/events/<event>/stripe-link-attempts", event=event)
    accounts = recorder.send(organizer, "GET", "/v1/stripe-accounts")
    account = accounts["data"][0]["id"]
    recorder.send(organizer, "GET", "/v1/stripe-accounts/<account>", account=account)
    other = document("stripe-authorization", link, stripe_auth_code=stripe.code(stripe.accounts[1]))
    recorder.send(organizer, "PATCH", f"{links}/<authorization>", other, authorization=link)
    return str(link)


def _pay(recorder: Recorder, organizer: Client, event: str) -> None:
    order = document(
        "payment-intent",
        relationships={"event": {"type": "event", "id": event}},
        amount=4200,
        currency="EUR",
        idempotency_key="order-1001",
        description="2 tickets for Open Tech Summit",
    )
    payment = recorder.send(organizer, "POST", "/v1/payment-intents", order)["data"]["id"]
    order["data"]["attributes"]["amount"] = 4300
    recorder.send(organizer, "POST", "/v1/payment-intents", order)
    recorder.send(organizer, "GET", "/v1/payment-intents/<payment>", payment=payment)
    recorder.send(organizer, "GET", "/v1/events/<event>/payment-intents", event=event)
    canceled = document("payment-intent", payment, status="canceled")
    recorder.send(organizer, "PATCH", "/v1/payment-intents/<payment>", canceled, payment=payment)


def _look_around(recorder: Recorder, organizer: Client, admin: Client, link: str) -> None:
    anybody = recorder.client
    recorder.send(anybody, "GET", "/v1/events")
    recorder.send(anybody, "GET", "/v1/events/<event>", event=1)
    recorder.send(anybody, "GET", "/v1/events/<event>", event=404)
    recorder.send(admin, "GET", "/v1/audit-entries", query="?page[size]=2&sort=-id")
    recorder.send(organizer, "GET", "/v1/audit-entries")
    recorder.send(anybody, "GET", "/v1/stripe-authorizations")


def _leave(recorder: Recorder, organizer: Client, event: str, link: str) -> None:
    recorder.send(
        organizer, "DELETE", "/v1/stripe-authorizations/<authorization>", authorization=link
    )
    recorder.send(recorder.client, "GET", "/v1/events/<event>/stripe-authorization", event=event)
    recorder.send(organizer, "DELETE", "/v1/events/<event>", event=event)


def play() -> dict[str, Example]:
    """Play the story on a database and a local Stripe of its own."""
    with tempfile.TemporaryDirectory() as folder, Emulator(Options(seed="examples")) as emulator:
        url = f"sqlite:///{Path(folder) / 'examples.db'}"
        migrate(url)
        app = make_app(url, STRIPE_CONNECT_URL=emulator.url, STRIPE_API_URL=emulator.url)
        with app.app_context():
            return record(Client(app), Factory(), StripeWorld(emulator))


def shape(value: Any) -> Any:
    """Return the names in a body and how they nest, without the values."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return None


def described() -> Iterator[str]:
    """Yield every operation of the table of routes, as `GET /v1/events`."""
    for route in (each for each in ROUTES if not each.page):
        for address in route.addresses:
            yield from (f"{method} {address}" for method in route.rights)


if __name__ == "__main__":
    FILE.write_text(json.dumps(play(), indent=1, ensure_ascii=False) + "\n")
    print(f"Recorded {FILE.relative_to(ROOT)}")  # noqa: T201
