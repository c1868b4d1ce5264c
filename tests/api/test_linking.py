"""Linking an event to a Stripe account, through the front door."""

from hashlib import sha256

import pytest

from app.extensions import db
from app.models import StripeAuthorization, StripeLinkAttempt
from tests.callers import assert_error, document, link_document

PATH = "/v1/stripe-authorizations"
CODE = "/data/attributes/stripe-auth-code"
EVENT = "/data/relationships/event"


def test_a_code_links_the_account_that_allowed_it(link, stripe):
    response = link()

    assert response.status_code == 201, response.text
    assert stripe.accounts[0] == response.json["data"]["attributes"]["stripe-user-id"]
    assert {stripe.accounts[0]} == stripe.connections()


def test_a_new_link_is_found_at_its_absolute_location(link):
    response = link()

    id_ = response.json["data"]["id"]
    assert f"http://localhost/v1/stripe-authorizations/{id_}" == response.headers["Location"]
    assert f"/v1/stripe-authorizations/{id_}" == response.json["data"]["links"]["self"]


def test_the_organizer_sees_the_key_of_the_account_not_of_the_platform(link, stripe):
    key = link().json["data"]["attributes"]["stripe-publishable-key"]

    assert key.startswith("pk_test_")
    assert key != stripe.settings["stripe-test-publishable-key"]


def test_no_answer_holds_a_token_or_the_code(link, stripe):
    code = stripe.code()

    answer = link(code).text

    kept = db.session.query(StripeAuthorization).one()
    assert code not in answer
    assert kept.stripe_secret_key not in answer
    assert kept.stripe_refresh_token not in answer


def test_what_is_kept_of_a_code_cannot_be_computed_from_it_without_our_key(link, stripe):
    code = stripe.code()
    link(code)

    kept = [db.session.query(row).one() for row in (StripeLinkAttempt, StripeAuthorization)]
    computed = {code, sha256(code.encode()).hexdigest()}
    assert computed.isdisjoint(each.stripe_auth_code for each in kept)


def test_the_event_may_be_named_by_its_identifier(link, event):
    response = link(of=event.identifier)

    assert response.status_code == 201
    assert response.json["data"]["relationships"]["event"] == {
        "links": {
            "self": f"{response.json['data']['links']['self']}/relationships/event",
            "related": f"{response.json['data']['links']['self']}/event",
        }
    }
    assert db.session.query(StripeAuthorization).one().event_id == event.id


def test_exactly_one_form_with_the_key_of_the_mode_goes_to_stripe(link, stripe):
    code = stripe.code()

    link(code)

    (asked,) = stripe.asked()
    assert {
        "client_secret": stripe.settings["stripe-test-secret-key"],
        "code": code,
        "grant_type": "authorization_code",
    } == asked["form"]


def test_an_event_can_be_linked_only_once(link, stripe):
    link()

    response = link()

    assert_error(response, 409, "already-linked", pointer=EVENT)
    assert len(stripe.codes_seen()) == 1


def test_the_same_code_again_gives_the_link_it_made(link, stripe):
    code = stripe.code()
    first = link(code)

    again = link(code)

    assert again.status_code == 200
    assert first.json["data"] == again.json["data"]
    assert [code] == stripe.codes_seen()


def test_a_lost_answer_is_no_trap_even_if_stripe_was_switched_off_since(
    link, stripe, organizer, event
):
    code = stripe.code()
    link(code)
    organizer.patch(f"/v1/events/{event.id}", document("event", event.id, can_pay_by_stripe=False))

    assert link(code).status_code == 200


def test_a_code_of_another_event_is_never_sent_again(link, stripe, make, owner):
    code = stripe.code()
    link(code)

    response = link(code, of=make.event(owner))

    assert_error(response, 422, "code-already-used", pointer=CODE)
    assert [code] == stripe.codes_seen()


def test_a_code_whose_link_was_removed_is_never_sent_again(link, stripe, organizer):
    code = stripe.code()
    made = link(code).json["data"]["id"]
    organizer.delete(f"{PATH}/{made}")

    response = link(code)

    assert_error(response, 422, "code-already-used", pointer=CODE)
    assert [code] == stripe.codes_seen()


def test_a_refused_code_is_answered_again_from_memory(link, stripe):
    stripe.fault("no-description", on="token")
    first = link("ac_made_up")
    stripe.fault(None)

    again = link("ac_made_up")

    assert_error(first, 422, "stripe-refused", pointer=CODE)
    error = assert_error(again, 422, "stripe-refused", pointer=CODE)
    assert first.json["errors"][0]["detail"] == error["detail"]
    assert len(stripe.codes_seen()) == 1


def test_after_a_refusal_a_new_code_links(link, stripe):
    link("ac_made_up")

    assert link().status_code == 201


def test_stripes_own_words_reach_the_organizer_without_the_code(link):
    error = assert_error(link("ac_made_up"), 422, "stripe-refused", pointer=CODE)

    assert error["detail"] == "Authorization code does not exist: …"
    assert error["meta"] == {"stripe-error": "invalid_grant"}


def test_an_event_can_be_linked_once_in_each_mode(link, make, stripe):
    link()
    make.platform(stripe, mode="production")

    response = link(stripe.code(livemode=True))

    assert response.status_code == 201
    assert response.json["data"]["attributes"]["livemode"] is True


@pytest.mark.parametrize("key", ["pk_test_something_else", "", None, 5, ["pk_live_x"], "x" * 999])
def test_the_frontends_key_of_the_platform_is_not_kept(link, stripe, key):
    response = link(stripe_publishable_key=key)

    assert response.status_code == 201, response.text
    assert response.json["data"]["attributes"]["stripe-publishable-key"] != key


def test_a_frontend_of_the_other_mode_is_told_before_anything_is_sent(link, stripe):
    code = stripe.code()

    response = link(code, stripe_publishable_key="pk_live_of_the_frontend")

    error = assert_error(response, 422, "stripe-mode-mismatch")
    assert "administrator" in error["detail"]
    assert stripe.codes_seen() == []
    assert link(code).status_code == 201


def test_a_link_says_how_the_account_was_connected(link, organizer, event):
    assert link().json["data"]["attributes"]["method"] == "oauth"


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({}, 422, "validation", "/data"),
        ([1], 422, "validation", "/data"),
        ("a", 422, "validation", "/data"),
        (None, 422, "validation", "/data"),
        ({"data": None}, 422, "validation", "/data"),
        ({"data": [1]}, 422, "validation", "/data"),
        ({"data": {}}, 422, "validation", "/data/type"),
        ({"data": {"type": 1}}, 422, "validation", "/data/type"),
        ({"data": {"type": "event"}}, 409, "wrong-type", "/data/type"),
        (
            {"data": {"type": "stripe-authorization", "attributes": []}},
            422,
            "validation",
            "/data/attributes",
        ),
        (
            {"data": {"type": "stripe-authorization", "relationships": [1]}},
            422,
            "validation",
            "/data/relationships",
        ),
    ],
)
def test_a_document_of_the_wrong_shape_is_refused(organizer, platform, body, status, code, pointer):
    import json

    response = organizer.post(PATH, json.dumps(body))

    assert_error(response, status, code, pointer=pointer)


@pytest.mark.parametrize(
    "code", ["", " ", "ac_1 2", "ac_\u0000", "ac_ü", "a" * 256, None, 5, ["ac_1"], {}, True]
)
def test_a_code_that_cannot_be_one_never_reaches_stripe(organizer, platform, event, stripe, code):
    response = organizer.post(PATH, link_document(event, code))

    assert_error(response, 422, "validation", pointer=CODE)
    assert stripe.codes_seen() == []


def test_a_link_without_code_and_event_tells_both_faults(organizer):
    response = organizer.post(PATH, document("stripe-authorization"))

    pointers = {error["source"]["pointer"] for error in response.json["errors"]}
    assert response.status_code == 422
    assert {CODE, EVENT} == pointers


@pytest.mark.parametrize("reference", ["99", "0", "-1", "word", "1e3", "deadbeef", "9" * 30, "١"])
def test_an_event_that_is_not_there_is_told_before_stripe_is_asked(link, stripe, reference):
    response = link(of=reference)

    assert_error(response, 404, "not-found", pointer=EVENT)
    assert stripe.codes_seen() == []


def test_a_deleted_event_cannot_be_linked(link, organizer, event, stripe):
    organizer.delete(f"/v1/events/{event.id}")

    assert_error(link(), 404, "not-found", pointer=EVENT)
    assert stripe.codes_seen() == []


def test_a_stranger_cannot_link_and_the_code_stays_free(link, client, make, stripe):
    code = stripe.code()
    stranger = client.as_(make.user())

    assert_error(link(code, by=stranger), 403, "forbidden")
    assert link(code).status_code == 201


def test_a_coorganizer_cannot_link(link, client, make, event):
    coorganizer = client.as_(make.person(event, "coorganizer"))

    assert_error(link(by=coorganizer), 403, "forbidden")


def test_somebody_elses_draft_is_not_there(link, client, make, event):
    draft = make.event(state="draft")

    assert_error(link(of=draft), 404, "not-found", pointer=EVENT)


def test_an_event_without_stripe_is_not_linked_and_the_code_stays_free(link, make, owner, stripe):
    event, code = make.event(owner, can_pay_by_stripe=False), stripe.code()

    assert_error(link(code, of=event), 403, "stripe-disabled")
    assert stripe.codes_seen() == []


def test_nothing_is_linked_while_a_key_of_the_platform_is_missing(link, platform, stripe, app):
    from app.db.transactions import transaction
    from app.models import Setting

    with transaction() as session:
        session.get_one(Setting, 1).stripe_test_publishable_key = None

    assert_error(link(), 403, "stripe-not-configured")
    assert stripe.codes_seen() == []


def test_every_attempt_is_in_the_history_newest_first(link, organizer, event):
    link("ac_made_up")
    link()

    history = organizer.get(f"/v1/events/{event.id}/stripe-link-attempts").json["data"]

    assert [each["attributes"]["outcome"] for each in history] == ["linked", "refused"]
    assert [each["attributes"]["error-code"] for each in history] == [None, "stripe-refused"]
    assert {"linked", "refused"} == {
        each.outcome for each in db.session.query(StripeLinkAttempt).all()
    }


@pytest.mark.parametrize(
    ("relationships", "sentence"),
    [
        (None, "This is required."),
        ({"event": None}, "This cannot be empty."),
        ({"event": {"type": "user", "id": "1"}}, "The type must be event."),
    ],
)
def test_a_document_without_an_event_is_told_in_words_of_ours(organizer, relationships, sentence):
    body = document("stripe-authorization", None, relationships, stripe_auth_code="ac_1")

    error = assert_error(organizer.post(PATH, body), 422, "validation", pointer=EVENT)

    assert error["detail"] == sentence
