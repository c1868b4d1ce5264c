"""`/openapi.json` and `/docs`: valid, equal to the table of routes, and true of real answers."""

import json
import re

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.errors import ServiceError
from app.http.openapi.document import describe
from app.http.openapi.examples import recorded
from app.routes import ROUTES
from tests.callers import link_document
from tests.databases import on_sqlite
from tests.http import recording
from tests.processes import run_manage

pytestmark = on_sqlite

DOCUMENT = describe(ROUTES)
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
# The contract's codes, copied by hand.
CODES = """
unauthenticated 401
forbidden 403
not-found 404
not-acceptable 406
unsupported-media-type 415
malformed-json 400
bad-parameter 400
id-mismatch 400
wrong-type 409
validation 422
payload-too-large 413
rate-limited 429
already-linked 409
link-in-progress 409
conflict 409
stripe-disabled 403
stripe-not-configured 403
state-invalid 422
code-already-used 422
stripe-refused 422
stripe-mode-mismatch 422
stripe-rejected-platform 502
stripe-unreadable 502
stripe-unreachable 502
stripe-busy 503
stripe-timeout 504
not-saved 503
unavailable 503
internal 500
not-linked 409
idempotency-conflict 409
"""
# Not JSON, the same under another address, or another operation's in all but the address.
WITHOUT_EXAMPLE = {
    "GET /metrics",
    "GET /openapi.json",
    "GET /docs",
    "GET /docs/<file>",
    "GET /assets/<file>",
    "POST /v1/auth/login",
    "GET /v1/settings/<setting>",
    "PATCH /v1/settings/<setting>",
    "PATCH /v1/events/<event>/stripe-authorization",
    "DELETE /v1/events/<event>/stripe-authorization",
    "POST /stripe/webhooks",  # Stripe's own, signed
    "POST /stripe/webhooks/",
}


def test_the_document_is_valid_openapi():
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_document_has_every_address_and_method_and_no_other():
    described = {(path, method.upper()) for path, method, _ in OPERATIONS}
    table = {
        (address.replace("<", "{").replace(">", "}"), method)
        for route in ROUTES
        if not route.page
        for address in route.addresses
        for method in route.rights
    }

    assert described == table


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_says_what_it_is_for_and_who_may_use_it(path, method, operation):
    assert operation["summary"].endswith((".", "?"))
    assert operation["description"].startswith("**Who**: ")
    assert {"200", "201"} & set(operation["responses"])


def test_every_code_of_the_contract_is_described_with_its_status():
    described = {
        (code, status)
        for _, _, operation in OPERATIONS
        for status, response in operation["responses"].items()
        for code in response.get("x-codes", [])
    }
    promised = {tuple(each.split()) for each in CODES.strip().splitlines()}

    assert promised <= described


def test_the_command_prints_what_the_service_serves(client):
    printed = run_manage("openapi", env={})

    assert printed.returncode == 0, printed.stderr
    served = client.app.test_client().get("/openapi.json")
    assert json.loads(printed.stdout) == served.json


def answered(client, method, path, body=None):
    response = client.send(method, path, body)
    return response.status_code, response.json


def test_real_answers_follow_the_schemas(client, make, stripe, platform):
    owner = make.user()
    event = make.event(owner)
    caller, admin = client.as_(owner), client.as_(make.admin())
    linked = caller.post("/v1/stripe-authorizations", link_document(event, stripe.code()))
    identifier = linked.json["data"]["id"]
    answers = [
        ("/v1/stripe-authorizations", "post", linked),
        *[
            (template, "get", who.get(template.format(event=event.id, authorization=identifier)))
            for template, who in [
                ("/v1/events", client),
                ("/v1/events/{event}", caller),
                ("/v1/events/{event}/stripe-authorization", client),
                ("/v1/events/{event}/stripe-link-attempts", caller),
                ("/v1/stripe-authorizations", caller),
                ("/v1/stripe-authorizations/{authorization}", caller),
                ("/v1/settings", admin),
                ("/v1/audit-entries", admin),
            ]
        ],
        ("/v1/users/{user}", "get", client.get("/v1/users/1")),
    ]

    for template, method, response in answers:
        described = DOCUMENT["paths"][template][method]["responses"][str(response.status_code)]
        schema = described["content"]["application/vnd.api+json"]["schema"]
        whole = {**schema, "components": DOCUMENT["components"]}
        jsonschema.validate(response.json, whole)


class TestTheExamples:
    """Real bodies, recorded by `make examples`."""

    def test_they_are_what_the_application_says_today(self):
        today = recording.play()

        assert recording.shape(today) == recording.shape(recorded()), "Run: make examples"

    def test_each_belongs_to_an_operation(self):
        assert set(recorded()) <= set(recording.described())

    @pytest.mark.parametrize("name", sorted(recorded()))
    def test_they_follow_their_schemas(self, name):
        method, _, address = name.partition(" ")
        operation = DOCUMENT["paths"][address.replace("<", "{").replace(">", "}")][method.lower()]
        shown = [operation["responses"][status] for status in recorded()[name]["responses"]]
        if "request" in recorded()[name]:
            shown.append(operation["requestBody"])

        for described in shown:
            for content in described["content"].values():
                whole = {**content["schema"], "components": DOCUMENT["components"]}
                jsonschema.validate(content["example"], whole)

    def test_no_operation_that_succeeds_without_a_person_at_stripe_is_without_one(self):
        without = {
            name
            for name in recording.described()
            if name not in recorded() and "relationships" not in name
        }

        assert without <= WITHOUT_EXAMPLE

    def test_they_hold_no_secret(self):
        text = json.dumps(recorded(), ensure_ascii=False)

        assert not re.search(r"\b(sk|rk|whsec|rt)_(?!(live|test)_…)\w*[A-Za-z0-9]{12}", text)
        assert "127.0.0.1" not in text


@pytest.mark.parametrize(
    ("name", "status", "header"),
    [
        ("POST /v1/stripe-authorizations", "201", "Location"),
        ("GET /v1/events/{event}/stripe-authorization", "200", "ETag"),
        ("GET /v1/events/{event}/stripe-authorization", "304", "ETag"),
        ("POST /auth/session", "429", "Retry-After"),
        ("POST /v1/stripe-authorizations", "409", "Retry-After"),
        ("POST /v1/stripe-authorizations", "503", "Retry-After"),
        ("GET /v1/stripe-authorizations", "401", "WWW-Authenticate"),
    ],
)
def test_a_header_that_clients_use_is_described(name, status, header):
    method, _, path = name.partition(" ")

    assert header in DOCUMENT["paths"][path][method.lower()]["responses"][status]["headers"]


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_answer_says_that_it_carries_the_id_of_the_request(path, method, operation):
    for response in operation["responses"].values():
        assert "X-Request-ID" in response["headers"]


def test_every_filter_and_sort_of_a_collection_is_described():
    for route in (each for each in ROUTES if not each.page):
        for address in route.addresses if "GET" in route.rights else ():
            path = address.replace("<", "{").replace(">", "}")
            told = {each["name"]: each for each in DOCUMENT["paths"][path]["get"]["parameters"]}
            for name in getattr(route.view, "filters", ()):
                assert f"filter[{name}]" in told
            for name in getattr(route.view, "sorts", ()):
                assert f"`{name}`" in told["sort"]["description"]


def test_every_error_class_with_a_code_of_its_own_says_when_it_is_raised():
    def below(kind):
        return [kind, *(each for child in kind.__subclasses__() for each in below(child))]

    for kind in below(ServiceError):
        assert kind.__doc__, kind


@pytest.mark.parametrize("file", ["swagger-ui.css", "swagger-ui-bundle.js", "start.js"])
def test_the_page_for_people_consists_of_our_own_files(client, file):
    page = client.app.test_client().get("/docs")

    assert f"docs/{file}" in page.text
    assert "//" not in page.text.replace("<!doctype", "")
    with client.app.test_client().get(f"/docs/{file}") as response:
        assert (response.status_code, bool(response.data)) == (200, True)
    assert "unsafe" not in page.headers["Content-Security-Policy"]
