"""Connecting without OAuth: an account is created once, filled in at Stripe, and then linked."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from app.db.transactions import transaction
from app.extensions import db
from app.models import (
    Setting,
    StripeAccount,
    StripeAuthorization,
    StripeAuthorizationRequest,
    StripeLinkAttempt,
)
from tests.callers import assert_error, document
from tests.databases import on_both, on_sqlite
from tests.webhooks import UPDATED, Webhooks
from tests.webhooks import event as hook_event

pytestmark = on_sqlite

REQUESTS, LINKS = "/v1/stripe-authorization-requests", "/v1/stripe-authorizations"
CODE, STATE = "/data/attributes/stripe-auth-code", "/data/attributes/state"
CALLBACK = "http://127.0.0.1:5000/connect/callback"


@pytest.fixture(name="onboarding", autouse=True)
def _onboarding(platform):
    """The platform, whose organizers connect by onboarding, and which has no client id."""
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        setting.stripe_connect_method = "onboarding"
        setting.stripe_client_id = setting.stripe_test_client_id = None


@pytest.fixture(name="start")
def _start(organizer, event):
    """Asks for the page at Stripe."""

    def start(*, by=None, of=None):
        linkage = {"event": {"type": "event", "id": str((of or event).id)}}
        response = (by or organizer).post(
            REQUESTS, document("stripe-authorization-request", None, linkage)
        )
        db.session.rollback()
        return response

    return start


@pytest.fixture(name="begun")
def _begun(start):
    """The attributes of an onboarding that has begun."""
    response = start()
    assert response.status_code == 201, response.text
    return response.json["data"]["attributes"]


@pytest.fixture(name="come_back")
def _come_back(organizer, event):
    """Links by a state alone."""

    def come_back(state, *, by=None, of=None, **attributes):
        linkage = {"event": {"type": "event", "id": str((of or event).id)}}
        body = document("stripe-authorization", None, linkage, state=state, **attributes)
        response = (by or organizer).post(LINKS, body)
        db.session.rollback()
        return response

    return come_back


@pytest.fixture(name="onboarded")
def _onboarded(begun, come_back):
    """The link that an onboarding has made."""
    fill_in(begun)
    response = come_back(begun["state"])
    assert response.status_code == 201, response.text
    return response.json["data"]


def fill_in(begun, decision="finish"):
    """Do at Stripe what the account's owner does there; return where the browser is sent."""
    answer = requests.post(
        begun["authorize-url"], data={"decision": decision}, allow_redirects=False, timeout=10
    )
    assert answer.status_code == 303
    return answer.headers["Location"]


def rows():
    db.session.rollback()
    return db.session.query(StripeAccount).order_by(StripeAccount.id).all()


def created(stripe):
    """The accounts that were created for us at Stripe."""
    answer = requests.get(f"{stripe.url}/_control/state", timeout=10).json()["accounts"]
    known = set(stripe.accounts)
    asked = {each["form"].get("email") for each in stripe.asked("/v1/accounts") if each["form"]}
    return [each for each in answer if each["id"] not in known and each["email"] in asked]


def age(**passed):
    """Let time pass by the database's clock, as far as accounts that are created know it."""
    with transaction() as session:
        for row in session.query(StripeAccount):
            row.connected_at -= timedelta(**passed)
            if row.first_sent_at is not None:
                row.first_sent_at -= timedelta(**passed)
            if row.claimed_until is not None:
                row.claimed_until -= timedelta(**passed)


@on_both
def test_an_onboarding_creates_an_account_and_a_page_to_fill_it_in(begun, stripe, owner):
    (asked,) = [each for each in stripe.asked("/v1/accounts") if each["method"] == "POST"]
    (row,) = rows()

    assert {"type": "standard", "email": owner.email} == {
        name: asked["form"][name] for name in ("type", "email")
    }
    assert asked["form"]["metadata[open_event_account]"] == row.reference
    assert asked["idempotency_key"] == row.idempotency_key
    assert begun["authorize-url"].startswith(f"{stripe.url}/setup/")


def test_the_owner_comes_back_with_the_state_alone(begun):
    back = urlsplit(fill_in(begun))

    assert f"{back.scheme}://{back.netloc}{back.path}" == CALLBACK
    assert parse_qsl(back.query) == [("state", begun["state"])]


def test_an_address_that_no_longer_works_leads_back_with_refresh(begun):
    fill_in(begun, "leave")

    back = urlsplit(fill_in(begun))

    assert parse_qsl(back.query) == [("state", begun["state"]), ("refresh", "1")]


def test_the_country_of_the_event_is_told_where_it_is_one(start, organizer, event, stripe):
    organizer.patch(f"/v1/events/{event.id}", document("event", event.id, payment_country="de"))

    start()

    assert stripe.asked("/v1/accounts")[0]["form"]["country"] == "DE"


def test_a_complete_account_is_linked_without_tokens(onboarded, stripe):
    attributes = onboarded["attributes"]

    assert attributes["method"] == "onboarding"
    assert attributes["scope"] == "read_write"
    assert attributes["stripe-publishable-key"] == stripe.settings["stripe-test-publishable-key"]
    link = db.session.query(StripeAuthorization).one()
    assert link.stripe_secret_key is link.stripe_refresh_token is link.stripe_auth_code is None


def test_the_account_of_an_onboarded_link_is_public(onboarded, client, app):
    shown = client.get(onboarded["links"]["self"]).json["data"]["attributes"]

    assert shown["stripe-user-id"] == onboarded["attributes"]["stripe-user-id"]


def test_an_account_that_is_not_complete_stays_usable(begun, come_back, start, stripe):
    fill_in(begun, "leave")

    assert_error(come_back(begun["state"]), 422, "onboarding-incomplete")
    again = start().json["data"]["attributes"]
    fill_in(again)

    assert come_back(begun["state"]).status_code == 201
    assert len(created(stripe)) == 1


def test_asking_again_brings_the_same_account_and_another_address(begun, start, stripe):
    again = start().json["data"]["attributes"]

    assert again["authorize-url"] != begun["authorize-url"]
    assert again["state"] != begun["state"]
    assert len(stripe.asked("/v1/accounts")) == 1


def test_the_state_lives_for_seven_days_and_only_as_a_hash(begun):
    request = db.session.query(StripeAuthorizationRequest).one()

    assert timedelta(days=6.9) < request.expires_at - request.created_at < timedelta(days=7.1)
    assert begun["state"] not in str(vars(request))
    assert begun["authorize-url"] not in str([vars(row) for row in rows()])


def test_the_same_state_again_is_answered_with_the_link(onboarded, begun, come_back):
    again = come_back(begun["state"])

    assert again.status_code == 200
    assert again.json["data"]["id"] == onboarded["id"]


def test_a_second_tab_that_comes_back_finds_the_link(begun, start, come_back):
    second = start().json["data"]["attributes"]
    fill_in(second)
    made = come_back(begun["state"])

    again = come_back(second["state"])

    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json["data"]["id"] == made.json["data"]["id"]


def test_a_state_is_spent_by_linking(onboarded, begun, come_back, organizer):
    organizer.delete(onboarded["links"]["self"])

    assert_error(come_back(begun["state"]), 422, "state-invalid", pointer=STATE)


def test_a_state_of_somebody_else_links_nothing(begun, come_back, client, make, event):
    fill_in(begun)
    colleague = client.as_(make.person(event, "organizer"))

    assert_error(come_back(begun["state"], by=colleague), 422, "state-invalid", pointer=STATE)
    assert come_back(begun["state"]).status_code == 201


def test_somebody_elses_spent_state_is_not_answered_either(
    onboarded, begun, come_back, client, make, event
):
    colleague = client.as_(make.person(event, "organizer"))

    assert come_back(begun["state"], by=colleague).status_code in (409, 422)


def test_a_state_of_another_event_or_mode_links_nothing(begun, come_back, make, owner, stripe):
    fill_in(begun)

    other = come_back(begun["state"], of=make.event(owner))
    make.platform(stripe, mode="production")
    live = come_back(begun["state"])

    for response in (other, live):
        assert_error(response, 422, "state-invalid", pointer=STATE)


def test_an_unknown_state_is_invalid(come_back):
    assert_error(come_back("unknown"), 422, "state-invalid", pointer=STATE)


def test_a_state_of_oauth_comes_with_a_code(organizer, start, come_back, make, stripe):
    make.platform(stripe)
    with transaction() as session:
        session.get_one(Setting, 1).stripe_connect_method = "oauth"
    state = start().json["data"]["attributes"]["state"]

    assert_error(come_back(state), 422, "validation", pointer=CODE)


def test_a_code_is_no_way_to_connect(link, stripe):
    assert_error(link(), 422, "validation", pointer=CODE)
    assert stripe.codes_seen() == []


def test_a_code_whose_state_is_of_oauth_links_whatever_the_setting_is_by_now(
    link, start, make, stripe
):
    make.platform(stripe)
    with transaction() as session:
        session.get_one(Setting, 1).stripe_connect_method = "oauth"
    state = start().json["data"]["attributes"]["state"]
    with transaction() as session:
        session.get_one(Setting, 1).stripe_connect_method = "onboarding"

    assert link(state=state).status_code == 201


def test_an_onboarding_is_finished_whatever_the_setting_is_by_now(begun, come_back):
    fill_in(begun)
    with transaction() as session:
        session.get_one(Setting, 1).stripe_connect_method = "oauth"

    assert come_back(begun["state"]).status_code == 201


def test_a_code_with_the_state_of_an_onboarding_is_not_spent(link, begun, stripe, make):
    make.platform(stripe)

    assert_error(link(state=begun["state"]), 422, "state-invalid", pointer=STATE)
    assert stripe.codes_seen() == []


def test_an_onboarding_needs_no_client_id_but_both_keys(start):
    with transaction() as session:
        session.get_one(Setting, 1).stripe_test_publishable_key = None

    assert_error(start(), 403, "stripe-not-configured")
    assert rows() == []


def test_unlinking_keeps_the_account_and_it_can_be_used_again(onboarded, organizer, event, stripe):
    account = onboarded["attributes"]["stripe-user-id"]

    gone = organizer.delete(onboarded["links"]["self"])

    assert gone.json["meta"]["deauthorization"] == "kept"
    assert stripe.asked("/oauth/deauthorize") == []
    (shown,) = organizer.get("/v1/stripe-accounts").json["data"]
    assert (shown["id"], shown["attributes"]["linked-events"]) == (account, 0)
    linkage = {
        "event": {"type": "event", "id": str(event.id)},
        "account": {"type": "stripe-account", "id": account},
    }
    again = organizer.post(LINKS, document("stripe-authorization", None, linkage))
    assert again.status_code == 201, again.text
    gone = organizer.delete(again.json["data"]["links"]["self"])
    assert gone.json["meta"]["deauthorization"] == "kept"


def test_an_account_that_a_platform_controls_ends_as_kept_when_stripe_says_so(
    onboarded, organizer, stripe, event
):
    with transaction() as session:
        session.query(StripeAccount).update({"origin": "oauth"})
        link = session.query(StripeAuthorization).one()
        link.client_id = stripe.settings["stripe-test-client-id"]

    gone = organizer.delete(onboarded["links"]["self"])

    assert gone.json["meta"]["deauthorization"] == "kept"
    assert len(organizer.get("/v1/stripe-accounts").json["data"]) == 1


def test_an_owner_who_disconnects_the_platform_ends_link_and_connection(
    onboarded, organizer, client, stripe, event
):
    hooks, account = Webhooks(client, stripe), onboarded["attributes"]["stripe-user-id"]
    stripe.disconnect(account)

    assert hooks.send(hooks.deauthorized(account)).status_code == 200

    assert organizer.get(onboarded["links"]["self"]).status_code == 404
    assert organizer.get("/v1/stripe-accounts").json["data"] == []


def test_a_webhook_about_an_account_without_an_event_counts(onboarded, organizer, client, stripe):
    hooks, account = Webhooks(client, stripe), onboarded["attributes"]["stripe-user-id"]
    organizer.delete(onboarded["links"]["self"])
    stripe.control(f"accounts/{account}", {"disabled_reason": "rejected.fraud"})

    assert hooks.send(hook_event(UPDATED, account)).status_code == 200
    (shown,) = organizer.get("/v1/stripe-accounts").json["data"]
    assert shown["attributes"]["account-status"] == "restricted"

    stripe.disconnect(account)
    assert hooks.send(hooks.deauthorized(account)).status_code == 200
    assert organizer.get("/v1/stripe-accounts").json["data"] == []


def test_an_unfinished_account_is_not_among_those_to_use(begun, organizer):
    assert organizer.get("/v1/stripe-accounts").json["data"] == []


FAULTS = [
    ("500-before", 502, "stripe-unreadable"),
    ("500-after", 502, "stripe-unreadable"),
    ("html", 502, "stripe-unreadable"),
    ("429", 502, "stripe-unreadable"),
    ("truncated", 502, "stripe-unreadable"),
    ("close-after-commit", 502, "stripe-unreadable"),
    ("key-invalid", 502, "stripe-rejected-platform"),
    ("key-restricted", 502, "stripe-rejected-platform"),
]


@pytest.mark.parametrize("call", ["create-account", "account-links"])
@pytest.mark.parametrize(("fault", "status", "code"), FAULTS)
def test_a_fault_of_stripes_leaves_nothing_half_made(start, stripe, call, fault, status, code):
    stripe.fault(fault, on=call)
    error = assert_error(start(), status, code)
    assert "source" not in error
    stripe.fault(None)

    assert start().status_code == 201
    assert len(created(stripe)) == 1
    assert len(rows()) == 1


@pytest.mark.parametrize(("fault", "status", "code"), FAULTS)
def test_a_fault_when_the_account_is_read_leaves_the_state_usable(
    begun, come_back, stripe, fault, status, code
):
    fill_in(begun)
    stripe.fault(fault, on="accounts")
    error = assert_error(come_back(begun["state"]), status, code)
    assert "source" not in error
    stripe.fault(None)

    assert come_back(begun["state"]).status_code == 201


@pytest.mark.parametrize("fault", ["500-saved-before", "500-saved-after"])
@on_both
def test_where_stripe_repeats_a_failure_accounts_are_searched_before_another_key(
    start, stripe, fault
):
    stripe.fault(fault, on="create-account", times=1)
    assert_error(start(), 502, "stripe-unreadable")

    assert start().status_code == 201
    assert len(created(stripe)) == 1
    listed = [each for each in stripe.asked("/v1/accounts") if each["method"] == "GET"]
    keys = [each["idempotency_key"] for each in stripe.asked("/v1/accounts") if each["form"]]
    assert len(listed) == 1
    assert len(set(keys)) == (2 if fault == "500-saved-before" else 1)


def test_a_search_that_outlasts_its_lease_creates_no_second_account(
    app, start, stripe, monkeypatch
):
    stripe.fault("500-saved-before", on="create-account", times=1)
    start()
    search = app.extensions["stripe"].list_accounts

    def search_slowly(**asked):
        page = search(**asked)
        monkeypatch.setattr(app.extensions["stripe"], "list_accounts", search)
        age(minutes=5)
        assert start().status_code == 201
        return page

    monkeypatch.setattr(app.extensions["stripe"], "list_accounts", search_slowly)
    error = assert_error(start(), 409, "conflict")
    assert error["detail"].startswith("Your account at Stripe is being created")
    assert len(created(stripe)) == 1


@pytest.mark.parametrize("fault", ["500-before", "close-after-commit"])
@on_both
def test_a_day_later_accounts_are_searched_before_another_key(start, stripe, fault):
    stripe.fault(fault, on="create-account")
    start()
    stripe.fault(None)
    stripe.control("clock", {"advance": 25 * 3600})
    age(hours=25)

    assert start().status_code == 201
    assert len(created(stripe)) == 1


def test_for_23_hours_the_same_parameters_go_under_the_same_key(start, stripe, owner):
    stripe.fault("close-after-commit", on="create-account")
    start()
    stripe.fault(None)
    age(hours=22)
    with transaction() as session:
        session.merge(owner).email = "moved@example.com"

    assert start().status_code == 201
    first, second = stripe.asked("/v1/accounts")
    assert first["form"] == second["form"]
    assert first["idempotency_key"] == second["idempotency_key"]
    assert second["replayed"]


def test_what_stripe_refuses_may_be_asked_for_in_another_way(start, stripe, owner):
    with transaction() as session:
        session.merge(owner).email = "no address"
    error = assert_error(start(), 422, "stripe-refused")
    assert "source" not in error
    with transaction() as session:
        session.merge(owner).email = "right@example.com"

    assert start().status_code == 201
    assert len(created(stripe)) == 1


@on_both
def test_a_process_that_died_while_creating_is_taken_over_after_its_lease(start, stripe, app):
    stripe.fault("close-after-commit", on="create-account")
    start()
    stripe.fault(None)
    with transaction() as session:  # as a killed process leaves it
        row = session.query(StripeAccount).one()
        row.claimed_until = row.first_sent_at + timedelta(minutes=1)

    waiting = start()
    assert_error(waiting, 409, "conflict")
    assert int(waiting.headers["Retry-After"]) <= 60
    age(minutes=2)

    assert start().status_code == 201
    assert len(created(stripe)) == 1


@on_both
def test_of_many_requests_at_once_one_creates_an_account(organizer, event, stripe):
    linkage = {"event": {"type": "event", "id": str(event.id)}}
    body = document("stripe-authorization-request", None, linkage)
    ready = threading.Barrier(8)

    def post(_):
        ready.wait()
        return organizer.post(REQUESTS, body).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(post, range(8)))

    assert set(answers) <= {201, 409}
    assert answers[201] >= 1
    assert len(created(stripe)) == 1
    assert len(rows()) == 1


@on_both
def test_of_many_that_come_back_at_once_one_links(begun, come_back, organizer, event):
    fill_in(begun)
    linkage = {"event": {"type": "event", "id": str(event.id)}}
    body = document("stripe-authorization", None, linkage, state=begun["state"])
    ready = threading.Barrier(8)

    def post(_):
        ready.wait()
        return organizer.post(LINKS, body).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(post, range(8)))

    assert answers[201] == 1
    assert answers[200] + answers[409] == 7
    db.session.rollback()
    assert db.session.query(StripeLinkAttempt).filter_by(outcome="linked").count() == 1


def test_each_user_has_an_account_of_their_own(start, client, make, event, stripe):
    start()

    assert start(by=client.as_(make.person(event, "organizer"))).status_code == 201
    assert len(created(stripe)) == 2


def test_less_than_an_organizer_starts_nothing(start, client, make, event, stripe):
    assert_error(start(by=client.as_(make.person(event, "coorganizer"))), 403, "forbidden")
    assert_error(start(by=client), 401, "unauthenticated")
    assert stripe.asked("/v1/accounts") == []


def test_relinking_takes_an_onboarding_as_well(onboarded, start, organizer, stripe):
    again = start().json["data"]["attributes"]
    fill_in(again)
    body = document("stripe-authorization", onboarded["id"], state=again["state"])

    response = organizer.patch(onboarded["links"]["self"], body)

    assert response.status_code == 200, response.text
    assert len(created(stripe)) == 2
    assert stripe.asked("/oauth/deauthorize") == []


def test_the_unchanged_frontend_shows_no_button(organizer):
    shown = organizer.get("/v1/settings").json["data"]["attributes"]

    assert shown["stripe-connect-method"] == "onboarding"
    assert shown["is-stripe-activated"] is False


def test_a_method_that_is_none_is_refused(client, make):
    admin = client.as_(make.admin())
    for method in ("saml", None, 1):
        body = document("setting", 1, stripe_connect_method=method)
        response = admin.patch("/v1/settings", body)
        assert_error(response, 422, "validation", pointer="/data/attributes/stripe-connect-method")


def test_an_administrator_chooses_the_method(client, make, stripe):
    make.platform(stripe)
    admin = client.as_(make.admin())

    response = admin.patch("/v1/settings", document("setting", 1, stripe_connect_method="oauth"))

    assert response.json["data"]["attributes"]["stripe-connect-method"] == "oauth"
    assert response.json["data"]["attributes"]["is-stripe-activated"] is True


def test_no_client_id_is_no_failure_where_organizers_onboard(client, make):
    answer = client.as_(make.admin()).post("/v1/stripe-checks", document("stripe-check"))

    found = {
        (each["mode"], each["check"]): each["result"]
        for each in answer.json["data"]["attributes"]["checks"]
    }
    assert found["test", "client-id"] == "skipped"
    assert found["test", "secret-key"] == "ok"
