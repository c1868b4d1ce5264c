"""
What the system that this service succeeds gets wrong, each row as a test of the right behaviour.

The number in a test's docstring is the row of the table of observed mistakes. Rows that are about
orders, charges or the frontend alone have no test here.
"""

import json

import pytest

from app.auth.tokens import issue_access_token, new_session_id
from app.extensions import db
from app.models import StripeAuthorization
from tests.callers import JSON_API, Client, assert_error, document, link_document
from tests.databases import on_both, on_sqlite

pytestmark = on_sqlite

LINKS = "/v1/stripe-authorizations"
CODE = "/data/attributes/stripe-auth-code"


@pytest.fixture(name="stranger")
def _stranger(client, make):
    return client.as_(make.user())


@pytest.fixture(name="linked")
def _linked(link):
    """The id of the event's link."""
    return link().json["data"]["id"]


def as_frontend(client, method, path, body=None):
    """Send *body*, a text, with the headers that the frontend sends, byte for byte."""
    headers = {"Accept": JSON_API, "Authorization": f"JWT {client.token}"}
    if body is not None:
        headers["Content-Type"] = JSON_API
    return client.app.test_client(use_cookies=False).open(
        path, method=method, headers=headers, data=body and body.encode()
    )


# Takeovers


@on_both
def test_only_an_organizer_deletes_a_link(stranger, linked, stripe):
    """B1"""
    assert_error(stranger.delete(f"{LINKS}/{linked}"), 403, "forbidden")
    assert stripe.connections() == {stripe.accounts[0]}


def test_nobody_moves_a_link_to_an_event_of_their_own(client, make, linked, stripe, event):
    """B2: neither a stranger nor, with rights at both, an organizer."""
    thief = make.user()
    his = make.event(thief)
    body = link_document(his, "ac_1")
    body["data"]["id"] = linked

    assert_error(client.as_(thief).patch(f"{LINKS}/{linked}", body), 403, "forbidden")
    make.role(thief, event, "organizer")
    assert_error(client.as_(thief).patch(f"{LINKS}/{linked}", body), 403, "forbidden")

    assert db.session.get(StripeAuthorization, int(linked)).event_id == event.id
    assert stripe.codes_seen().count("ac_1") == 0


def test_the_id_in_a_body_never_chooses_what_is_changed(client, make, linked, event):
    """B2: a PATCH of one's own link that names another's id."""
    thief = make.user()
    his_event = make.event(thief)
    his = make.link(his_event)
    body = document("stripe-authorization", linked, stripe_auth_code="ac_1")

    for path in (f"{LINKS}/{his.id}", f"/v1/events/{his_event.id}/stripe-authorization"):
        assert_error(client.as_(thief).patch(path, body), 400, "id-mismatch")

    event_body = document("event", event.id, name="mine")
    response = client.as_(thief).patch(f"/v1/events/{his_event.id}", event_body)
    assert_error(response, 400, "id-mismatch")


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_linkage_is_linkage_and_is_never_written(organizer, linked, event, method):
    """B3"""
    path = f"{LINKS}/{linked}/relationships/event"

    assert organizer.get(path).json["data"] == {"type": "event", "id": str(event.id)}
    response = organizer.send(method, path, {"data": None})
    assert_error(response, 403, "forbidden")
    assert organizer.get(f"{LINKS}/{linked}").status_code == 200


@pytest.mark.parametrize("id_type", [str, int])
def test_an_events_document_takes_over_nobodys_link(client, make, linked, event, id_type):
    """B4"""
    thief = make.user()
    his = make.event(thief)
    body = document("event", his.id, name="Renamed")
    body["data"]["relationships"] = {
        "stripe-authorization": {"data": {"type": "stripe-authorization", "id": id_type(linked)}}
    }

    response = client.as_(thief).patch(f"/v1/events/{his.id}", body)

    assert response.json["data"]["relationships"]["stripe-authorization"]["data"] is None
    assert response.json["data"]["attributes"]["is-stripe-linked"] is False
    assert db.session.get(StripeAuthorization, int(linked)).event_id == event.id


def test_a_new_event_brings_no_link_along(client, make, linked):
    """B4, on POST: a copy made by hand."""
    body = document(
        "event",
        name="Copy",
        starts_at="2027-01-01T10:00:00Z",
        ends_at="2027-01-01T12:00:00Z",
        timezone="UTC",
        is_stripe_linked=True,
    )
    body["data"]["relationships"] = {
        "stripe-authorization": {"data": {"type": "stripe-authorization", "id": linked}}
    }

    response = client.as_(make.user()).post("/v1/events", body)

    assert response.status_code == 201
    assert response.json["data"]["relationships"]["stripe-authorization"]["data"] is None
    assert response.json["data"]["attributes"]["is-stripe-linked"] is False


@pytest.mark.parametrize("role", ["owner", "organizer", "coorganizer"])
def test_a_role_counts_at_its_own_event_alone(client, make, linked, event, role):
    """B5"""
    person = make.user()
    make.role(person, make.event(), role)
    caller = client.as_(person)

    assert_error(caller.delete(f"{LINKS}/{linked}"), 403, "forbidden")
    assert_error(caller.delete(f"/v1/events/{event.id}"), 403, "forbidden")
    body = document("event", event.id, name="x")
    assert_error(caller.patch(f"/v1/events/{event.id}", body), 403, "forbidden")
    assert_error(caller.get(f"/v1/events/{event.id}/stripe-link-attempts"), 403, "forbidden")
    assert_error(caller.get(f"/v1/events/{event.id}/users-events-roles"), 403, "forbidden")


def test_a_role_that_was_taken_counts_no_more_with_the_next_request(
    client, organizer, make, linked, event
):
    person = make.user()
    role = make.role(person, event, "organizer")
    caller = client.as_(person)
    organizer.delete(f"/v1/users-events-roles/{role.id}")

    assert_error(caller.delete(f"{LINKS}/{linked}"), 403, "forbidden")


# Drafts and deleted events


def test_somebody_elses_draft_is_nowhere(stranger, client, make):
    draft = make.event(state="draft", name="surprise")
    link = make.link(draft)
    paths = [
        f"/v1/events/{draft.id}",
        f"/v1/events/{draft.identifier}",
        f"/v1/events/{draft.id}/stripe-authorization",
        f"/v1/events/{draft.id}/relationships/stripe-authorization",
        f"/v1/events/{draft.id}/stripe-link-attempts",
        f"/v1/events/{draft.id}/users-events-roles",
        f"{LINKS}/{link.id}",
        f"{LINKS}/{link.id}/event",
        f"{LINKS}/{link.id}/relationships/event",
    ]

    for path in paths:
        assert_error(stranger.get(path), 404, "not-found")
        assert client.get(path).status_code in (401, 404)
    for caller in (stranger, client):
        answer = caller.get("/v1/events?filter[name]=surprise&filter[state]=draft")
        assert answer.json["meta"]["count"] == 0
    answer = stranger.get(f"{LINKS}?filter[event]={draft.id}&include=event")
    assert answer.json["meta"]["count"] == 0
    assert "surprise" not in answer.text


def test_a_deleted_event_is_nowhere_and_takes_no_link(
    organizer, client, make, linked, event, stripe
):
    """B13"""
    organizer.delete(f"/v1/events/{event.id}")

    asked = len(stripe.codes_seen())
    response = organizer.post(LINKS, link_document(event, stripe.code()))
    assert_error(response, 404, "not-found", pointer="/data/relationships/event")
    assert len(stripe.codes_seen()) == asked
    for caller in (organizer, client.as_(make.admin())):
        for path in (
            f"/v1/events/{event.id}",
            f"/v1/events/{event.identifier}",
            f"/v1/events/{event.id}/stripe-authorization",
            f"{LINKS}/{linked}",
        ):
            assert_error(caller.get(path), 404, "not-found")
    assert db.session.query(StripeAuthorization).count() == 0
    assert stripe.connections() == set()


def test_unlinking_by_linkage_leaves_nothing_behind_because_it_does_nothing(
    organizer, linked, event
):
    """B13"""
    body = document("event", event.id)
    body["data"]["relationships"] = {"stripe-authorization": {"data": None}}

    assert organizer.patch(f"/v1/events/{event.id}", body).status_code == 200
    assert organizer.get(f"{LINKS}/{linked}").status_code == 200


# What a copy says, and flags


def test_nobody_writes_the_flag_that_buyers_read(organizer, event, platform):
    """B14, B15"""
    body = document("event", event.id, is_stripe_linked=True, stripe_action_needed=False)
    organizer.patch(f"/v1/events/{event.id}", body)

    attributes = organizer.get(f"/v1/events/{event.id}").json["data"]["attributes"]
    assert attributes["is-stripe-linked"] is False
    assert attributes["stripe-action-needed"] is True


@on_both
def test_a_deleted_link_is_read_as_such_at_once(client, organizer, linked, event):
    """B14"""
    assert client.get(f"/v1/events/{event.id}").json["data"]["attributes"]["is-stripe-linked"]
    organizer.delete(f"{LINKS}/{linked}")

    answer = client.get(f"/v1/events/{event.id}?include=stripe-authorization").json
    assert answer["data"]["attributes"]["is-stripe-linked"] is False
    assert answer["data"]["relationships"]["stripe-authorization"]["data"] is None
    assert "included" not in answer or answer["included"] == []


def test_unticking_stripe_hides_the_key_from_buyers(client, organizer, linked, event):
    """B16"""
    path = f"/v1/events/{event.id}"
    organizer.patch(path, document("event", event.id, can_pay_by_stripe=False))

    assert client.get(path).json["data"]["attributes"]["is-stripe-linked"] is False
    assert_error(client.get(f"{path}/stripe-authorization"), 404, "not-found")
    assert_error(client.get(f"{LINKS}/{linked}"), 404, "not-found")
    assert client.get(f"{path}/relationships/stripe-authorization").json["data"] is None


# Identifiers, ids and types


@pytest.mark.parametrize(
    "reference",
    ["ffffffff", "", "0", "-1", "1.0", "nobody", "9" * 30, "\x00", "\ud800", "1 OR 1=1"],
)
def test_a_reference_to_no_event_is_not_found_before_stripe_is_asked(
    organizer, platform, stripe, reference
):
    """B31, B47"""
    response = organizer.post(LINKS, link_document(reference, "ac_1"))

    assert response.status_code in (404, 422)
    assert response.json["errors"][0]["source"] == {"pointer": "/data/relationships/event"}
    assert stripe.codes_seen() == []


def test_an_identifier_works_as_a_relationship_id_everywhere(link, organizer, event, linked):
    """B31"""
    body = link_document(event.identifier, "ac_not_sent")
    body["data"]["id"] = linked
    del body["data"]["attributes"]["stripe-auth-code"]

    response = organizer.patch(f"{LINKS}/{linked}", body)

    assert_error(response, 422, "validation", pointer=CODE)


@pytest.mark.parametrize("missing", ["timezone", "name", "starts-at", "ends-at"])
def test_a_missing_value_is_told_and_no_failure_of_ours(client, make, missing):
    """B31"""
    given = {
        "name": "Fair",
        "starts-at": "2027-01-01T10:00:00Z",
        "ends-at": "2027-01-01T12:00:00Z",
        "timezone": "UTC",
    }
    del given[missing]

    response = client.as_(make.user()).post("/v1/events", document("event", **given))

    assert_error(response, 422, "validation", pointer=f"/data/attributes/{missing}")


def test_links_name_their_own_event_and_ids_are_text(organizer, client, make, linked, event):
    """B28, B30"""
    other = make.event()
    other_link = make.link(other)

    for each, link_id in ((event.id, linked), (other.id, other_link.id), (event.id, linked)):
        relation = client.get(f"/v1/events/{each}").json["data"]["relationships"]
        found = relation["stripe-authorization"]
        assert found["links"] == {
            "self": f"/v1/events/{each}/relationships/stripe-authorization",
            "related": f"/v1/events/{each}/stripe-authorization",
        }
        assert found["data"] == {"type": "stripe-authorization", "id": str(link_id)}


# Who is asked first, and how it is told


@pytest.mark.parametrize("body", ["{", "{}", '{"data": {"type": "x"}}', '{"data": []}'])
@pytest.mark.parametrize("path", [LINKS, "/v1/events", "/v1/stripe-authorization-requests"])
def test_who_is_asking_comes_before_what_is_wrong_with_the_document(client, path, body):
    """B7"""
    assert_error(client.post(path, body), 401, "unauthenticated")


@pytest.mark.parametrize("code", ["", " ", "\t", "\n", "ac_ 1", "ä", "a" * 256, 5, None, [], {}])
def test_what_cannot_be_a_code_is_refused_here_and_pointed_at(
    organizer, platform, stripe, event, code
):
    """B20, B35, B48"""
    body = link_document(event, "x")
    body["data"]["attributes"]["stripe-auth-code"] = code

    assert_error(organizer.post(LINKS, body), 422, "validation", pointer=CODE)
    assert stripe.codes_seen() == []


def test_a_token_that_is_worth_nothing_any_more_is_401_everywhere(client, make):
    """B27: a blocked or deleted user, at once."""
    from datetime import UTC, datetime

    for change in ({"is_blocked": True}, {"deleted_at": datetime.now(UTC)}):
        user = make.user()
        token = issue_access_token(user, new_session_id())
        for name, value in change.items():
            setattr(user, name, value)
        db.session.commit()
        caller = Client(client.app, token)
        for path in ("/v1/events", "/v1/settings", "/v1/users/me", LINKS):
            assert_error(caller.get(path), 401, "unauthenticated")
        assert_error(caller.post(LINKS, "{"), 401, "unauthenticated")


def test_the_events_of_a_deleted_owner_cannot_be_taken_by_who_gets_his_address(client, make):
    from datetime import UTC, datetime

    gone = make.user("gone@example.com")
    event = make.event(gone)
    gone.deleted_at = datetime.now(UTC)
    gone.email = "gone@example.com.deleted"
    db.session.commit()
    successor = client.as_(make.user("gone@example.com"))

    assert_error(
        successor.patch(f"/v1/events/{event.id}", document("event", event.id, name="x")),
        403,
        "forbidden",
    )


def test_anybody_reads_the_publishable_key_of_a_published_event_and_no_more(client, linked, event):
    """B11, B32, B34"""
    answer = client.get(f"/v1/events/{event.id}?include=stripe-authorization")

    (included,) = answer.json["included"]
    assert list(included["attributes"]) == ["stripe-publishable-key"]
    kept = db.session.query(StripeAuthorization).one()
    for secret in (kept.stripe_secret_key, kept.stripe_refresh_token, kept.stripe_user_id):
        assert secret not in answer.text


def test_an_account_can_be_connected_again_after_it_was_disconnected(link, organizer, linked):
    """B37"""
    organizer.delete(f"{LINKS}/{linked}")

    assert link().status_code == 201


# Secrets through filters, sorts, fields and includes

FISHING = [
    "filter[stripe-secret-key]=sk_test_1",
    "filter[stripe_secret_key]=sk_test_1",
    "filter[stripe-refresh-token]=rt_1",
    "filter[stripe-auth-code]=ac_1",
    "filter[event.name]=x",
    "filter[linked-by.password-hash]=x",
    'filter=[{"name":"stripe_secret_key","op":"like","val":"sk_test_%25"}]',
    'filter=[{"name":"id","op":"eq","field":"stripe_secret_key"}]',
    'filter=[{"name":"event","op":"has","val":{"name":"name","op":"eq","val":"x"}}]',
    'filter=[{"or":[{"name":"id","op":"eq","val":1}]}]',
    "sort=stripe-secret-key",
    "sort=-stripe_refresh_token",
    "sort=event.name",
    "fields[stripe-authorization]=stripe-secret-key",
    "fields[stripe-authorization]=stripe_auth_code",
    "include=event.owner",
    "include=linked-by",
    "include=event.stripe-authorization",
]


@on_both
def test_no_filter_sort_field_or_include_asks_about_a_secret(organizer, linked):
    for query in FISHING:
        response = organizer.get(f"{LINKS}?{query}")
        assert response.status_code == 400, query
        assert_error(response, 400, "bad-parameter")


def test_people_are_shown_to_strangers_without_their_addresses(client, stranger, event, owner):
    for caller in (client, stranger):
        answer = caller.get(f"/v1/events/{event.id}?include=owner,organizers,coorganizers")
        assert answer.status_code == 200
        assert owner.email not in answer.text


# The frontend's bodies, byte for byte

# What the wizard sends along: every attribute of its model that it serializes.
NULLS = [
    "deleted-at",
    "longitude",
    "latitude",
    "location-name",
    "searchable-location-name",
    "logo-url",
    "original-image-url",
    "thumbnail-image-url",
    "large-image-url",
    "icon-image-url",
    "organizer-name",
    "organizer-description",
    "owner-description",
    "ticket-url",
    "external-event-url",
    "code-of-conduct",
    "payment-state",
    "onsite-details",
    "cheque-details",
    "bank-details",
    "paypal-email",
    "refund-policy",
    "after-order-message",
    "schedule-published-on",
    "pentabarf-url",
    "ical-url",
    "xcal-url",
    "document-links",
    "average-rating",
    "public-stream-link",
    "stream-loop",
    "stream-autoplay",
    "live-stream-url",
    "webinar-url",
    "chat-room-name",
]
FALSES = [
    "is-map-shown",
    "is-ticketing-enabled",
    "is-donation-enabled",
    "is-promoted",
    "is-demoted",
    "is-featured",
    "is-sessions-speakers-enabled",
    "is-sponsors-enabled",
    "is-tax-enabled",
    "is-billing-info-mandatory",
    "is-badges-enabled",
    "is-chat-enabled",
    "is-videoroom-enabled",
    "is-document-enabled",
    "is-event-online",
    "is-cfs-enabled",
    "is-announced",
    "is-oneclick-signup-enabled",
    "is-ticket-form-enabled",
    "can-pay-by-cheque",
    "can-pay-by-bank",
    "can-pay-by-invoice",
    "can-pay-by-alipay",
    "can-pay-by-paypal",
    "can-pay-by-paytm",
    "can-pay-by-omise",
    "can-pay-onsite",
    "online",
    "has-owner-info",
    "has-organizer-info",
    "show-remaining-tickets",
    "has-sessions",
    "has-speakers",
    "has-stripe",
]


def wizard_body(event, **attributes) -> str:
    """The event's PATCH as the frontend writes it: unspaced, numeric id as text, relationships."""
    given = {
        "name": event.name,
        "description": "<p>All about it</p>",
        "identifier": event.identifier,
        "starts-at": "2027-05-01T09:00:00+00:00",
        "ends-at": "2027-05-01T17:00:00+00:00",
        "timezone": "Europe/Berlin",
        "state": "published",
        "privacy": "public",
        "payment-country": "DE",
        "payment-currency": "EUR",
        "owner-name": "Ada",
        "can-pay-by-stripe": True,
        "is-stripe-linked": False,
        "created-at": "2026-11-24T06:00:00.000Z",
        **dict.fromkeys(NULLS),
        **dict.fromkeys(FALSES, False),
        **attributes,
    }
    one = {"event-topic": "event-topic", "event-type": "event-type", "location": "event-location"}
    many = ["tickets", "sponsors", "social-links", "microlocations", "tracks", "speakers", "faqs"]
    related = {
        **{name: {"data": {"type": kind, "id": "7"}} for name, kind in one.items()},
        **{name: {"data": []} for name in many},
        "event-sub-topic": {"data": None},
        "owner": {"data": {"type": "user", "id": "1"}},
        "tax": {"data": None},
        "copyright": {"data": None},
        "group": {"data": None},
    }
    data = {"id": str(event.id), "attributes": given, "relationships": related, "type": "event"}
    return json.dumps({"data": data}, separators=(",", ":"), ensure_ascii=False)


def test_the_wizards_event_is_saved_by_identifier_with_its_numeric_id(organizer, event):
    body = wizard_body(event, name="Größe")
    assert len(json.loads(body)["data"]["attributes"]) > 80

    response = as_frontend(organizer, "PATCH", f"/v1/events/{event.identifier}", body)

    assert response.status_code == 200, response.text
    assert response.json["data"]["id"] == str(event.id)
    assert response.json["data"]["attributes"]["name"] == "Größe"
    assert response.json["data"]["attributes"]["is-stripe-linked"] is False


def test_the_wizards_whole_story_links_reads_saves_again_and_disconnects(
    organizer, client, event, platform, stripe
):
    code, account = stripe.code(), stripe.accounts[0]
    post = (
        '{{"data":{{"type":"stripe-authorization","attributes":{{"stripe-auth-code":"{}",'
        '"stripe-publishable-key":"{}"}},"relationships":{{"event":{{"data":{{"type":"event",'
        '"id":"{}"}}}}}}}}}}'
    ).format(code, stripe.settings["stripe-test-publishable-key"], event.id)
    saved = as_frontend(organizer, "PATCH", f"/v1/events/{event.identifier}", wizard_body(event))
    assert saved.status_code == 200

    made = as_frontend(organizer, "POST", LINKS, post)
    assert made.status_code == 201, made.text
    id_ = made.json["data"]["id"]
    assert made.json["data"]["attributes"]["stripe-user-id"] == account

    # The next save sends the event with its linkage, and the spent code again.
    again = json.loads(wizard_body(event))
    again["data"]["relationships"]["stripe-authorization"] = {
        "data": {"type": "stripe-authorization", "id": id_}
    }
    saved = as_frontend(organizer, "PATCH", f"/v1/events/{event.identifier}", json.dumps(again))
    assert saved.status_code == 200, saved.text
    assert saved.json["data"]["attributes"]["is-stripe-linked"] is True
    patch = post.replace('{"data":{', f'{{"data":{{"id":"{id_}",', 1)
    spent = as_frontend(organizer, "PATCH", f"{LINKS}/{id_}", patch)
    assert spent.status_code == 200, spent.text
    assert stripe.codes_seen() == [code]

    # The frontend drops the token on some reads, and adds parameters of its own.
    seen = client.get(f"/v1/events/{event.id}/stripe-authorization?public=true&cache=true")
    assert seen.json["data"]["attributes"]["stripe-publishable-key"].startswith("pk_test_")

    gone = as_frontend(organizer, "DELETE", f"{LINKS}/{id_}")
    assert gone.status_code == 200
    assert gone.json["meta"] == {
        "message": "Object successfully deleted",
        "deauthorization": "done",
    }
    assert stripe.connections() == set()


def test_a_lost_answer_to_the_wizards_post_is_answered_again(organizer, event, platform, stripe):
    """B18"""
    body = json.dumps(link_document(event, stripe.code()))

    first, second = (as_frontend(organizer, "POST", LINKS, body) for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json["data"] == second.json["data"]


def test_every_error_has_what_the_wizard_shows(link, stripe):
    """B8, B29: a text for the toast, a status that reads as a number, a pointer."""
    for fault in ("no-description", "html", "truncated"):
        stripe.fault(fault, on="token")
        (error,) = link(f"ac_{fault}").json["errors"]
        assert isinstance(error["detail"], str) and error["detail"].endswith((".", "…"))
        assert int(error["status"]) in (422, 502)
        assert error["source"] == {"pointer": CODE}
