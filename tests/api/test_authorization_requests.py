"""The browser's trip to Stripe: a state that is bound, works once, and is taken before the code."""

import hashlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import text

from app.extensions import db
from app.models import StripeAuthorization, StripeAuthorizationRequest
from tests.callers import assert_error, document, link_document
from tests.databases import on_both, on_sqlite

pytestmark = on_sqlite

PATH = "/v1/stripe-authorization-requests"
STATE = "/data/attributes/state"
CALLBACK = "http://127.0.0.1:5000/connect/callback"


@pytest.fixture(name="request_trip")
def _request_trip(organizer, event, platform):
    """Asks for a trip to Stripe as the event's owner, or whoever is named."""

    def request_trip(*, by=None, of=None, **attributes):
        reference = str(getattr(of or event, "id", of))
        linkage = {"event": {"type": "event", "id": reference}}
        body = document("stripe-authorization-request", None, linkage, **attributes)
        response = (by or organizer).post(PATH, body)
        db.session.rollback()
        return response

    return request_trip


@pytest.fixture(name="state_of")
def _state_of(request_trip):
    """The state of a fresh trip."""

    def state_of(**kwargs):
        response = request_trip(**kwargs)
        assert response.status_code == 201, response.text
        return response.json["data"]["attributes"]["state"]

    return state_of


@pytest.fixture(name="organizer_link")
def _organizer_link(link, stripe):
    """Links with a state, and returns the answer and whether Stripe has seen the code."""

    def organizer_link(state, **kwargs):
        code = stripe.code()
        response = link(code, state=state, **kwargs)
        return response, code in stripe.codes_seen()

    return organizer_link


def _refused(answer):
    response, is_spent = answer
    assert_error(response, 422, "state-invalid", pointer=STATE)
    assert not is_spent


def _query_of(response):
    return parse_qsl(urlsplit(response.json["data"]["attributes"]["authorize-url"]).query)


@on_both
def test_the_url_is_stripes_with_every_parameter_and_no_other(
    request_trip, stripe, owner, event, organizer
):
    organizer.patch(f"/v1/events/{event.id}", document("event", event.id, payment_country="de"))

    response = request_trip()

    given = response.json["data"]["attributes"]
    assert response.status_code == 201
    assert given["authorize-url"].startswith(f"{stripe.url}/oauth/authorize?response_type=code&")
    assert [
        ("response_type", "code"),
        ("client_id", stripe.settings["stripe-test-client-id"]),
        ("scope", "read_write"),
        ("state", given["state"]),
        ("redirect_uri", CALLBACK),
        ("stripe_user[email]", owner.email),
        ("stripe_user[country]", "DE"),
    ] == _query_of(response)


@pytest.mark.parametrize("country", [None, "", "Germany", "D1", "ÄÖ", "UK", "EU", "XX", "deu"])
def test_a_country_that_is_no_code_is_not_filled_in(request_trip, organizer, event, country):
    organizer.patch(f"/v1/events/{event.id}", document("event", event.id, payment_country=country))

    names = dict(_query_of(request_trip()))

    assert "stripe_user[country]" not in names
    assert "stripe_user[email]" in names


def test_an_address_cannot_smuggle_parameters_into_the_url(request_trip, client, make, event):
    sly = make.user("a&client_id=ca_evil&x=#@example.com")
    make.role(sly, event, "organizer")

    query = _query_of(request_trip(by=client.as_(sly)))

    assert [sly.email] == [value for name, value in query if name == "stripe_user[email]"]
    assert len([value for name, value in query if name == "client_id"]) == 1


def test_in_live_mode_the_live_client_id_is_named(request_trip, make, stripe):
    make.platform(stripe, mode="production")

    query = dict(_query_of(request_trip()))

    assert stripe.settings["stripe-client-id"] == query["client_id"]


def test_the_answer_is_a_resource_with_an_end_in_sixty_minutes(request_trip, event):
    before = datetime.now(UTC)

    data = request_trip().json["data"]

    expires_at = datetime.fromisoformat(data["attributes"]["expires-at"])
    assert data["type"] == "stripe-authorization-request"
    assert data["id"].isdigit()
    assert {"type": "event", "id": str(event.id)} == data["relationships"]["event"]["data"]
    assert {"authorize-url", "state", "expires-at", "redirect-uri"} >= set(data["attributes"])
    assert abs(expires_at - before - timedelta(minutes=60)) < timedelta(seconds=30)


def test_a_state_is_random_and_kept_only_as_a_hash(state_of, app):
    states = {state_of() for _ in range(5)}

    rows = str(
        [
            tuple(row)
            for row in db.session.execute(text("SELECT * FROM stripe_authorization_requests"))
        ]
    )
    assert len(states) == 5
    assert all(len(state) >= 22 for state in states)  # 22 characters of base64 are 132 bits
    assert not any(state in rows for state in states)
    assert all(hashlib.sha256(state.encode()).hexdigest() in rows for state in states)


def test_the_event_may_be_named_by_its_identifier(request_trip, event):
    assert request_trip(of=event.identifier).status_code == 201


@on_both
def test_a_state_links_once_and_the_history_says_it_was_checked(
    state_of, organizer_link, organizer, event
):
    response, _ = organizer_link(state_of())

    (attempt,) = organizer.get(f"/v1/events/{event.id}/stripe-link-attempts").json["data"]
    assert response.status_code == 201
    assert attempt["attributes"]["state-checked"] is True


def test_without_a_state_the_history_says_it_was_not_checked(link, organizer, event):
    link()

    (attempt,) = organizer.get(f"/v1/events/{event.id}/stripe-link-attempts").json["data"]
    assert attempt["attributes"]["state-checked"] is False


@on_both
def test_a_state_works_only_once(state_of, organizer_link, organizer, event):
    state = state_of()
    organizer_link(state)
    organizer.delete(f"/v1/events/{event.id}/stripe-authorization")

    _refused(organizer_link(state))


def test_a_state_is_taken_even_if_stripe_then_refuses(state_of, link, organizer_link):
    state = state_of()
    assert_error(link("ac_made_up", state=state), 422, "stripe-refused")

    _refused(organizer_link(state))


@pytest.mark.parametrize("state", ["", "x", "made-up-" * 5, "ünïcode", "a" * 255, "' OR 1=1 --"])
def test_a_state_that_was_never_handed_out_is_refused(organizer_link, state):
    _refused(organizer_link(state))


def test_a_state_that_is_over_is_refused(state_of, organizer_link):
    state = state_of()
    row = db.session.query(StripeAuthorizationRequest).one()
    row.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    db.session.commit()

    _refused(organizer_link(state))


def test_the_hash_of_a_state_is_no_state(state_of, organizer_link):
    _refused(organizer_link(hashlib.sha256(state_of().encode()).hexdigest()))


def test_a_state_of_another_event_is_refused(state_of, organizer_link, make, owner):
    _refused(organizer_link(state_of(of=make.event(owner))))


def test_a_state_of_the_other_mode_is_refused(state_of, organizer_link, make, stripe):
    state = state_of()
    make.platform(stripe, mode="production")

    _refused(organizer_link(state))


def test_a_refused_state_of_somebody_else_still_works_for_its_owner(
    state_of, organizer_link, client, make, event
):
    state = state_of()
    colleague = client.as_(make.person(event, "organizer"))
    _refused(organizer_link(state, by=colleague))

    assert organizer_link(state)[0].status_code == 201


def test_what_refuses_before_the_state_leaves_it_free(state_of, organizer_link, organizer, event):
    state = state_of()
    address = f"/v1/events/{event.id}"
    organizer.patch(address, document("event", event.id, can_pay_by_stripe=False))
    assert_error(organizer_link(state)[0], 403, "stripe-disabled")
    organizer.patch(address, document("event", event.id, can_pay_by_stripe=True))

    assert organizer_link(state)[0].status_code == 201


def test_relinking_takes_a_state_as_well(state_of, link, organizer, stripe, event):
    made = link().json["data"]["id"]
    address = f"/v1/stripe-authorizations/{made}"
    state = state_of()
    body = {"stripe_auth_code": stripe.code(stripe.accounts[1]), "state": state}
    again = {"stripe_auth_code": stripe.code(stripe.accounts[0]), "state": state}

    first = organizer.patch(address, document("stripe-authorization", made, **body))
    second = organizer.patch(address, document("stripe-authorization", made, **again))

    assert first.status_code == 200
    assert_error(second, 422, "state-invalid", pointer=STATE)
    assert again["stripe_auth_code"] not in stripe.codes_seen()


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        CALLBACK + "/",
        CALLBACK + "?x=1",
        CALLBACK.upper(),
        "",
        "javascript:alert(1)",
        "//127.0.0.1:5000/connect/callback",
    ],
)
def test_only_listed_redirect_uris_are_taken_to_the_letter(request_trip, uri):
    response = request_trip(redirect_uri=uri)

    assert_error(response, 422, "validation", pointer="/data/attributes/redirect-uri")


def test_a_listed_redirect_uri_is_named_in_the_url(request_trip):
    assert dict(_query_of(request_trip(redirect_uri=CALLBACK)))["redirect_uri"] == CALLBACK


class TestOtherRedirectUris:
    """An operator's own list takes the place of the console's."""

    @pytest.fixture(name="environ")
    def _environ(self):
        return {"STRIPE_REDIRECT_URIS": "https://a.example/r, https://b.example/r?x=1&y=2"}

    def test_the_first_is_the_default_and_each_may_be_chosen(self, request_trip):
        chosen = "https://b.example/r?x=1&y=2"

        assert dict(_query_of(request_trip()))["redirect_uri"] == "https://a.example/r"
        assert chosen == dict(_query_of(request_trip(redirect_uri=chosen)))["redirect_uri"]

    def test_the_consoles_own_is_not_on_it(self, request_trip):
        response = request_trip(redirect_uri=CALLBACK)

        assert_error(response, 422, "validation", pointer="/data/attributes/redirect-uri")


class TestStateRequired:
    """With STRIPE_REQUIRE_STATE nothing is linked without a trip that began here."""

    @pytest.fixture(name="environ")
    def _environ(self):
        return {"STRIPE_REQUIRE_STATE": "true"}

    def test_a_link_without_a_state_is_refused_and_the_code_stays_free(self, link, stripe):
        code = stripe.code()

        assert_error(link(code), 422, "state-invalid", pointer=STATE)
        assert stripe.codes_seen() == []

    @on_both
    def test_the_same_code_links_once_it_comes_with_a_state(self, link, stripe, state_of):
        code = stripe.code()
        link(code)

        assert link(code, state=state_of()).status_code == 201

    def test_a_new_code_for_a_link_needs_one_too(self, link, organizer, stripe, state_of):
        made = link(state=state_of()).json["data"]["id"]
        body = document("stripe-authorization", made, stripe_auth_code=stripe.code())

        response = organizer.patch(f"/v1/stripe-authorizations/{made}", body)

        assert_error(response, 422, "state-invalid", pointer=STATE)

    def test_a_code_that_made_its_link_needs_none_to_be_answered_again(
        self, link, stripe, state_of
    ):
        code = stripe.code()
        link(code, state=state_of())

        assert link(code).status_code == 200


class TestNothingSent:
    """What demonstrably never reached Stripe gives the state back with the code."""

    @pytest.fixture(name="environ")
    def _environ(self):
        return {"STRIPE_CONNECT_URL": "http://127.0.0.1:9", "STRIPE_REQUIRE_STATE": "true"}

    def test_code_and_state_may_be_tried_again(self, link, state_of, stripe):
        state, code = state_of(), stripe.code()

        first, second = link(code, state=state), link(code, state=state)

        assert_error(first, 502, "stripe-unreachable")
        assert_error(second, 502, "stripe-unreachable")
        assert db.session.query(StripeAuthorizationRequest).one().used_at is None


@pytest.mark.parametrize("role", ["anyone", "user", "coorganizer"])
def test_less_than_an_organizer_starts_no_trip(request_trip, client, make, event, role):
    people = {
        "anyone": lambda: client,
        "user": lambda: client.as_(make.user()),
        "coorganizer": lambda: client.as_(make.person(event, "coorganizer")),
    }

    response = request_trip(by=people[role]())

    status, code = (401, "unauthenticated") if role == "anyone" else (403, "forbidden")
    assert_error(response, status, code)
    assert db.session.query(StripeAuthorizationRequest).count() == 0


def test_somebody_elses_draft_and_a_deleted_event_are_not_there(
    request_trip, organizer, client, make, event
):
    draft = make.event(state="draft")
    organizer.delete(f"/v1/events/{event.id}")

    for of in (draft, event, 10**9, "ffffffff"):
        assert_error(request_trip(of=of), 404, "not-found", pointer="/data/relationships/event")


def test_without_the_platforms_keys_there_is_nowhere_to_go(organizer, event):
    linkage = {"event": {"type": "event", "id": str(event.id)}}
    body = document("stripe-authorization-request", None, linkage)

    assert_error(organizer.post(PATH, body), 403, "stripe-not-configured")


# The account-linking attack, both directions. The browser's part is played by whoever follows the
# authorize URL; what counts is that the service refuses before the code is spent.


def test_an_attackers_code_and_state_link_nothing_in_the_organizers_session(
    state_of, link, stripe, client, make, event
):
    """The attacker authorizes his own account and lets the organizer finish his trip."""
    attacker = make.user()
    his_event = make.event(attacker)
    his_state = state_of(by=client.as_(attacker), of=his_event)
    his_code = stripe.code(stripe.accounts[1])

    for of in (event, his_event):
        response = link(his_code, state=his_state, of=of)
        assert response.status_code in (403, 422)
    assert stripe.codes_seen() == []
    assert db.session.query(StripeAuthorization).count() == 0


def test_an_attackers_code_with_the_organizers_state_needs_the_organizers_session(
    state_of, stripe, client, make, event
):
    """A state that leaks (a log, a Referer) is worth nothing to anybody else."""
    attacker = client.as_(make.user())
    colleague = client.as_(make.person(event, "organizer"))
    state, code = state_of(), stripe.code(stripe.accounts[1])

    stranger = attacker.post("/v1/stripe-authorizations", link_document(event, code, state=state))
    insider = colleague.post("/v1/stripe-authorizations", link_document(event, code, state=state))

    assert_error(stranger, 403, "forbidden")
    assert_error(insider, 422, "state-invalid", pointer=STATE)
    assert stripe.codes_seen() == []


def test_a_victim_who_follows_an_attackers_link_gives_her_account_to_nobody(
    state_of, stripe, client, make, owner, event, organizer
):
    """The attacker hands out his authorize URL; the victim's browser comes back with her code."""
    attacker = make.user()
    his_event = make.event(attacker)
    his_state = state_of(by=client.as_(attacker), of=his_event)
    her_code = stripe.code(stripe.accounts[0])

    response = organizer.post(
        "/v1/stripe-authorizations", link_document(event, her_code, state=his_state)
    )
    to_his = organizer.post(
        "/v1/stripe-authorizations", link_document(his_event, her_code, state=his_state)
    )

    assert_error(response, 422, "state-invalid", pointer=STATE)
    assert_error(to_his, 403, "forbidden")
    assert stripe.codes_seen() == []
