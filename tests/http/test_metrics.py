"""`GET /metrics`: what is counted, under bounded labels, over all processes."""

import re

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.callers import link_document
from tests.databases import on_sqlite
from tests.web.pages import Browser

pytestmark = on_sqlite


def samples(text: str) -> dict[tuple[str, frozenset], float]:
    """Return every sample of a scrape by its name and labels."""
    return {
        (
            sample.name.removeprefix("stripe_linking_"),
            frozenset(sample.labels.items()),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Scrapes:
    """Two scrapes, and by how much a sample has grown between them."""

    def __init__(self, client) -> None:
        self._client = client
        self.before = self.read()

    def read(self):
        return samples(self._client.app.test_client().get("/metrics").text)

    def growth(self, name, **labels):
        key = name, frozenset(labels.items())
        return self.read().get(key, 0) - self.before.get(key, 0)


@pytest.fixture(name="scrapes")
def _scrapes(client):
    return Scrapes(client)


def test_a_request_is_counted_by_its_route_and_not_by_its_path(client, scrapes, make):
    event = make.event(make.user())

    client.get(f"/v1/events/{event.id}")

    labels = {"route": "/v1/events/<event>", "method": "GET"}
    assert scrapes.growth("http_requests_total", status="200", **labels) == 1
    assert scrapes.growth("http_request_duration_seconds_count", **labels) == 1


def test_unknown_paths_and_methods_make_no_series_of_their_own(client, scrapes):
    for number in range(20):
        client.get(f"/v1/nothing-{number}")
        client.app.test_client().open("/v1/events", method=f"BREW{number}")

    grown = {key for key in scrapes.read() if key not in scrapes.before}
    assert not [key for key in grown if "nothing" in str(key) or "BREW" in str(key)]
    unknown = {"route": "unknown", "method": "GET", "status": "404"}
    assert scrapes.growth("http_requests_total", **unknown) == 20


def test_a_link_is_counted_as_a_call_to_stripe_and_as_an_attempt(
    client, scrapes, make, stripe, platform
):
    owner = make.user()
    document = link_document(make.event(owner), stripe.code())

    assert client.as_(owner).post("/v1/stripe-authorizations", document).status_code == 201

    assert scrapes.growth("stripe_calls_total", kind="POST token", outcome="2xx") == 1
    assert scrapes.growth("link_attempts_total", outcome="linked") == 1


def test_what_is_pending_is_told_with_its_age(client, scrapes, make):
    make.deauthorization()

    assert scrapes.read()["pending", frozenset({("kind", "deauthorization")})] == 1
    assert scrapes.read()["pending_oldest_seconds", frozenset({("kind", "deauthorization")})] > 0


def test_failed_sign_ins_are_counted(client, scrapes):
    client.app.test_client().post(
        "/auth/session", json={"email": "a@example.com", "password": "wrong"}
    )

    assert scrapes.growth("sign_ins_failed_total", reason="credentials") == 1


def test_failed_sign_ins_at_the_console_are_counted_too(app, scrapes):
    fields = {"email": "a@example.com", "password": "a wrong password"}

    assert Browser(app).send("/sign-in", fields).status_code == 401

    assert scrapes.growth("sign_ins_failed_total", reason="credentials") == 1


def test_a_session_that_cannot_be_refreshed_is_no_failed_sign_in(client, scrapes):
    client.app.test_client().post("/v1/auth/token/refresh", headers={"Authorization": "JWT x"})

    assert scrapes.growth("sign_ins_failed_total", reason="credentials") == 0


def test_no_secret_and_no_id_is_among_the_labels(client, make, stripe, platform):
    make.link(make.event(make.user()))
    client.get("/v1/events/1/stripe-authorization?code=ac_secret")

    text = client.app.test_client().get("/metrics").text

    assert not re.search(r"(sk|rk|pk|ac|acct|whsec)_", text)


class TestWithAToken:
    @pytest.fixture(name="environ")
    def _environ(self):
        return {"METRICS_TOKEN": "a-token-of-some-length"}

    @pytest.mark.parametrize(
        "given", [None, "Bearer wrong", "JWT a-token-of-some-length", "Bearer"]
    )
    def test_without_it_nothing_is_told(self, client, given):
        headers = {"Authorization": given} if given else {}

        response = client.app.test_client().get("/metrics", headers=headers)

        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert "stripe_linking" not in response.text

    def test_with_it_everything_is(self, client):
        headers = {"Authorization": "Bearer a-token-of-some-length"}

        response = client.app.test_client().get("/metrics", headers=headers)

        assert response.status_code == 200
        assert "stripe_linking_build_info" in response.text


def test_the_counters_of_all_processes_are_added_up(start_service, migrated_postgres_url):
    service = start_service({"DATABASE_URL": migrated_postgres_url}, processes=3)
    for _ in range(60):
        requests.get(f"{service.url}/v1/events", timeout=10)

    scrapes = [samples(requests.get(f"{service.url}/metrics", timeout=10).text) for _ in range(5)]

    labels = {("route", "/v1/events"), ("method", "GET"), ("status", "200")}
    assert {each["http_requests_total", frozenset(labels)] for each in scrapes} == {60}
