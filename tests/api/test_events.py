"""Events, as the wizard creates, shows, changes and deletes them."""

import json
import re
from datetime import datetime
from urllib.parse import urlencode

import pytest

from app.extensions import db
from app.models import Event, StripeAuthorization, StripeDeauthorization
from tests.callers import assert_error, document
from tests.databases import on_sqlite

PATH = "/v1/events"
VALID = {
    "name": "Fair",
    "starts_at": "2027-05-01T09:00:00+02:00",
    "ends_at": "2027-05-01T17:00:00+02:00",
    "timezone": "Europe/Berlin",
}


def test_whoever_creates_an_event_owns_it(client, make):
    creator = client.as_(make.user())

    response = creator.post("/v1/events", document("event", **VALID))

    assert response.status_code == 201, response.text
    path = response.json["data"]["links"]["self"]
    assert response.headers["Location"] == f"http://localhost{path}"
    owner = creator.get(f"{path}?include=owner").json["data"]["relationships"]["owner"]["data"]
    assert owner == {"type": "user", "id": creator.get("/v1/users/me").json["data"]["id"]}


def test_a_new_event_is_a_draft_without_stripe(client, make):
    response = client.as_(make.user()).post("/v1/events", document("event", **VALID))

    attributes = response.json["data"]["attributes"]
    assert attributes["state"] == "draft"
    assert attributes["can-pay-by-stripe"] is False
    assert attributes["is-stripe-linked"] is False
    assert attributes["starts-at"] == "2027-05-01T07:00:00+00:00"


def test_identifiers_are_eight_hex_characters_and_never_a_number(client, make):
    creator = client.as_(make.user())

    for _ in range(20):
        answer = creator.post("/v1/events", document("event", **VALID)).json
        identifier = answer["data"]["attributes"]["identifier"]
        assert re.fullmatch(r"[0-9a-f]{8}", identifier)
        assert not identifier.isdigit()


@pytest.mark.parametrize("missing", list(VALID))
def test_an_event_needs_these(client, make, missing):
    given = {name: value for name, value in VALID.items() if name != missing}

    response = client.as_(make.user()).post("/v1/events", document("event", **given))

    pointer = f"/data/attributes/{missing.replace('_', '-')}"
    assert_error(response, 422, "validation", pointer=pointer)


@on_sqlite
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", " \t "),
        ("name", "a" * 256),
        ("name", "NUL\x00"),
        ("name", "half \ud800"),
        ("name", 5),
        ("name", None),
        ("starts_at", "tomorrow"),
        ("starts_at", 1),
        ("ends_at", "2027-05-01T07:00:00Z"),
        ("ends_at", "0001-01-01T00:00:00+14:00"),
        ("timezone", "Mars/Olympus"),
        ("timezone", ["UTC"]),
        ("state", "cancelled"),
        ("payment_currency", "XYZ"),
        ("payment_currency", "XXX"),
        ("payment_currency", "xau"),
        ("payment_currency", {}),
        ("can_pay_by_stripe", "yes"),
        ("can_pay_by_stripe", 1),
        ("description", "a" * 100_001),
    ],
)
def test_a_value_that_cannot_be_is_refused_and_nothing_is_written(client, make, name, value):
    before = db.session.query(Event).count()
    db.session.rollback()

    response = client.as_(make.user()).post(
        "/v1/events", document("event", **VALID | {name: value})
    )

    assert_error(response, 422, "validation", pointer=f"/data/attributes/{name.replace('_', '-')}")
    assert before == db.session.query(Event).count()


def test_a_currency_in_any_case_is_kept_in_capitals(client, make):
    body = document("event", **VALID | {"payment_currency": "eur"})

    made = client.as_(make.user()).post("/v1/events", body).json["data"]

    assert made["attributes"]["payment-currency"] == "EUR"


def test_the_id_is_given_by_the_service(client, make):
    response = client.as_(make.user()).post("/v1/events", document("event", 7, **VALID))

    assert_error(response, 403, "forbidden", pointer="/data/id")


def test_attributes_that_are_unknown_or_read_only_are_ignored(organizer, event):
    given = {
        "identifier": "ffffffff",
        "is-stripe-linked": True,
        "stripe-action-needed": True,
        "created-at": "2000-01-01T00:00:00Z",
        "deleted-at": "2000-01-01T00:00:00Z",
        "id": 99,
        "event": "x",
        "logo-url": None,
        "name": "New",
    }
    body = {"data": {"type": "event", "id": str(event.id), "attributes": given}}

    response = organizer.patch(f"/v1/events/{event.id}", body)

    attributes = response.json["data"]["attributes"]
    assert response.status_code == 200, response.text
    assert ("New", event.identifier) == (attributes["name"], attributes["identifier"])
    assert attributes["is-stripe-linked"] is False
    assert organizer.get(f"/v1/events/{event.id}").status_code == 200


def test_the_frontend_patches_by_identifier_with_the_numeric_id_in_the_body(organizer, event):
    response = organizer.patch(
        f"/v1/events/{event.identifier}", document("event", event.id, name="New")
    )

    assert response.status_code == 200
    assert response.json["data"]["attributes"]["name"] == "New"


def test_a_patch_changes_only_what_it_names(organizer, event):
    organizer.patch(f"/v1/events/{event.id}", document("event", event.id, name="New"))

    attributes = organizer.get(f"/v1/events/{event.id}").json["data"]["attributes"]
    assert attributes["timezone"] == "Europe/Berlin"
    assert attributes["can-pay-by-stripe"] is True


@pytest.mark.parametrize("id_", ["99", "word", "01"])
def test_the_id_in_the_body_must_be_the_events(organizer, event, id_):
    response = organizer.patch(f"/v1/events/{event.id}", document("event", id_, name="New"))

    assert_error(response, 400, "id-mismatch", pointer="/data/id")


def test_a_patch_needs_an_id(organizer, event):
    response = organizer.patch(f"/v1/events/{event.id}", document("event", name="New"))

    assert_error(response, 422, "validation", pointer="/data/id")


def test_a_patch_cannot_end_an_event_before_it_starts(organizer, event):
    body = document("event", event.id, ends_at="2020-01-01T00:00:00Z")

    response = organizer.patch(f"/v1/events/{event.id}", body)

    assert_error(response, 422, "validation", pointer="/data/attributes/ends-at")


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_writes_take_no_fields_so_that_nothing_is_lost_silently(organizer, event, method):
    path = f"/v1/events/{event.id}" if method == "PATCH" else "/v1/events"

    response = organizer.send(method, f"{path}?fields[event]=name", document("event", event.id))

    assert_error(response, 400, "bad-parameter", parameter="fields[event]")


def test_fields_of_one_request_do_not_change_the_next(client, organizer, event):
    sparse = client.get(f"/v1/events/{event.id}?fields[event]=name").json["data"]["attributes"]
    organizer.patch(f"/v1/events/{event.id}", document("event", event.id, owner_name="Ada"))
    whole = client.get(f"/v1/events/{event.id}").json["data"]["attributes"]

    assert {"name"} == set(sparse)
    assert whole["owner-name"] == "Ada"


def test_whether_an_event_is_linked_is_derived_from_the_link(client, make, event, platform):
    def is_linked():
        answer = client.get(f"/v1/events/{event.id}").json["data"]["attributes"]
        return answer["is-stripe-linked"]

    before = is_linked()
    make.link(event)

    assert (before, is_linked()) == (False, True)


def test_unticking_stripe_keeps_the_link_and_hides_it(client, organizer, make, event, platform):
    link = make.link(event)

    def tick(value):
        body = document("event", event.id, can_pay_by_stripe=value)
        answer = organizer.patch(f"/v1/events/{event.id}", body).json
        return answer["data"]["attributes"]["is-stripe-linked"]

    assert tick(False) is False
    assert client.get(f"/v1/events/{event.id}/stripe-authorization").status_code == 404
    assert tick(True) is True
    found = client.get(f"/v1/events/{event.id}/stripe-authorization").json["data"]["id"]
    assert str(link.id) == found


def test_publishing_without_a_link_is_not_refused_but_asks_for_action(organizer, make, owner):
    draft = make.event(owner, state="draft")

    response = organizer.patch(
        f"/v1/events/{draft.id}", document("event", draft.id, state="published")
    )

    assert response.status_code == 200
    assert response.json["data"]["attributes"]["stripe-action-needed"] is True


def test_what_needs_action_is_for_coorganizers_and_of_published_events_only(
    client, organizer, make, owner, event
):
    draft = make.event(owner, state="draft")

    def attributes(caller, of):
        return caller.get(f"/v1/events/{of.id}").json["data"]["attributes"]

    assert attributes(organizer, event)["stripe-action-needed"] is True
    assert attributes(organizer, draft)["stripe-action-needed"] is False
    assert "stripe-action-needed" not in attributes(client, event)


def test_the_list_holds_published_events_and_ones_own(client, organizer, make, event, owner):
    mine = make.event(owner, state="draft")
    other = make.event()
    make.event(state="draft")

    def ids(caller):
        return {int(each["id"]) for each in caller.get("/v1/events").json["data"]}

    assert {event.id, other.id} == ids(client)
    assert {event.id, other.id, mine.id} == ids(organizer)


@pytest.mark.parametrize(
    ("operator", "pattern", "found"),
    [
        ("ilike", "%summit%", {"Berlin Summit", "summit of 100%"}),
        ("like", "Berlin%", {"Berlin Summit"}),
        ("like", "summit", set()),
    ],
)
def test_events_are_searched_by_a_part_of_their_name(client, make, owner, operator, pattern, found):
    for name in ("Berlin Summit", "summit of 100%", "Fair"):
        make.event(owner, name=name)
    wanted = json.dumps([{"name": "name", "op": operator, "val": pattern}])

    response = client.get(f"/v1/events?{urlencode({'filter': wanted})}")

    assert found == {each["attributes"]["name"] for each in response.json["data"]}


@pytest.mark.parametrize(
    ("operator", "moment", "count"),
    [
        ("ge", "2027-05-01T07:00:00Z", 1),
        ("gt", "2027-05-01T09:00:00+02:00", 0),
        ("lt", "2027-05-01T09:00:01+02:00", 1),
        ("eq", "2027-05-01T07:00:00+00:00", 1),
    ],
)
def test_events_are_found_by_when_they_start(client, make, operator, moment, count):
    make.event(starts_at=datetime.fromisoformat(VALID["starts_at"]))
    wanted = json.dumps([{"name": "starts-at", "op": operator, "val": moment}])

    response = client.get(f"/v1/events?{urlencode({'filter': wanted})}")

    assert response.json["meta"]["count"] == count


def test_pages_lead_from_the_first_to_the_last(client, make):
    for _ in range(3):
        make.event()

    first = client.get("/v1/events?page[size]=2&sort=-id").json
    second = client.get(first["links"]["next"]).json

    assert {"count": 3} == first["meta"] == second["meta"]
    assert len(first["data"]) == 2
    assert len(second["data"]) == 1
    assert first["links"]["prev"] is None
    assert second["links"]["next"] is None
    assert first["links"]["last"] == second["links"]["self"]
    assert not {each["id"] for each in first["data"]} & {each["id"] for each in second["data"]}


def test_people_are_included_and_their_addresses_only_for_colleagues(
    client, organizer, make, event, owner
):
    coorganizer = make.person(event, "coorganizer")
    path = f"/v1/events/{event.id}?include=owner,organizers,coorganizers,stripe-authorization"

    for_us = organizer.get(path).json["included"]
    for_strangers = client.get(path).json["included"]

    addresses = [{"email": person.email} for person in (owner, coorganizer)]
    assert addresses == [each["attributes"] for each in for_us]
    assert all("attributes" not in each for each in for_strangers)


def test_the_link_is_included_as_the_caller_may_see_it(client, organizer, make, event, platform):
    make.link(event)
    path = f"/v1/events/{event.id}?include=stripe-authorization"

    (public,) = client.get(path).json["included"]
    (private,) = organizer.get(path).json["included"]

    assert {"stripe-publishable-key"} == set(public["attributes"])
    assert "stripe-user-id" in private["attributes"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_deleted_event_is_there_for_nobody(client, organizer, make, event, method):
    organizer.delete(f"/v1/events/{event.id}")
    admin = client.as_(make.admin())

    for caller in (organizer, admin):
        body = document("event", event.id) if method == "PATCH" else None
        for reference in (event.id, event.identifier):
            response = caller.send(method, f"/v1/events/{reference}", body)
            assert_error(response, 404, "not-found")


def test_deleting_an_event_unlinks_it_in_both_modes(link, make, organizer, event, stripe):
    link()
    make.platform(stripe, mode="production")
    link(stripe.code(stripe.accounts[1], livemode=True))

    response = organizer.delete(f"/v1/events/{event.id}")

    db.session.rollback()
    assert response.status_code == 200, response.text
    assert db.session.query(StripeAuthorization).count() == 0
    assert set() == stripe.connections()
    assert set() == stripe.connections(stripe.settings["stripe-client-id"])
    assert all(each.done_at for each in db.session.query(StripeDeauthorization))


LINKAGES = {
    "null": {"data": None},
    "what is so": {"data": {"type": "stripe-authorization", "id": "{own}"}},
    "a link that has ended": {"data": {"type": "stripe-authorization", "id": "999"}},
    "a link of another event": {"data": {"type": "stripe-authorization", "id": "{other}"}},
    "another type": {"data": {"type": "event", "id": "1"}},
    "a list": {"data": []},
    "no linkage": {},
    "no object": "x",
}


@pytest.mark.parametrize("kind", LINKAGES)
def test_linkage_in_an_events_document_is_ignored_whatever_it_says(
    organizer, make, event, platform, kind
):
    own, other = make.link(event), make.link(make.event())
    said = json.dumps(LINKAGES[kind]).replace("{own}", str(own.id))
    linkage = json.loads(said.replace("{other}", str(other.id)))
    changed = document("event", event.id, name="Renamed")
    created = document("event", **VALID)
    for body in (changed, created):
        body["data"]["relationships"] = {"stripe-authorization": linkage}

    answers = organizer.patch(f"/v1/events/{event.id}", changed), organizer.post(PATH, created)

    assert [each.status_code for each in answers] == [200, 201]
    shown = [each.json["data"]["relationships"]["stripe-authorization"] for each in answers]
    assert shown[0]["data"] == {"type": "stripe-authorization", "id": str(own.id)}
    assert shown[1]["data"] is None
    assert answers[0].json["data"]["attributes"]["name"] == "Renamed"


# fmt: off
HELD_ELSEWHERE = [
    "tickets", "faqs", "faq-types", "feedbacks", "ticket-tags", "microlocations", "social-links",
    "tracks", "sponsors", "speakers-call", "session-types", "event-copyright", "tax", "sessions",
    "speakers", "event-type", "event-topic", "event-sub-topic", "group", "custom-forms",
    "track-organizers", "moderators", "registrars", "order-statistics", "general-statistics",
    "exhibitors", "session-favourites", "speaker-invites", "station", "badge-forms", "tags",
    "event-invoices", "discount-codes", "orders", "role-invites", "access-codes", "attendees",
    "roles", "video-stream", "group.followers.user", "roles.role", "tickets.event", "owner.events",
]
# fmt: on


def test_relationships_that_open_event_holds_are_known_and_bring_nothing(
    client, organizer, make, event, platform
):
    link = make.link(event)
    asked = ",".join([*HELD_ELSEWHERE, "stripe-authorization"])

    for path in (PATH, f"{PATH}/{event.id}", f"/v1/stripe-authorizations/{link.id}/event"):
        for each in HELD_ELSEWHERE:
            assert client.get(f"{path}?include={each}").status_code == 200, each
        answer = organizer.get(f"{path}?include={asked}")
        included = {each["type"] for each in answer.json["included"]}
        assert included <= {"stripe-authorization", "user"}
        assert "stripe-authorization" in included


@pytest.mark.parametrize("name", ["no-such", "followers.user", "event_copyright", "", " tickets"])
def test_what_no_event_has_cannot_be_included(client, event, name):
    response = client.get(f"{PATH}/{event.id}?include=tickets,{name}")

    if name:
        assert_error(response, 400, "bad-parameter", parameter="include")
    else:
        assert response.status_code == 200


@pytest.mark.parametrize("sort", ["id", "-id", "name", "-name"])
@pytest.mark.parametrize("include", ["owner", "organizers,coorganizers", "owner,organizers"])
def test_what_is_seen_of_a_person_does_not_depend_on_the_order_of_the_events(
    client, make, sort, include
):
    me, colleague, stranger = make.user(), make.user(), make.user()
    mine = make.event(colleague, name="B")
    theirs = [make.event(colleague, name="A"), make.event(stranger, name="C")]
    make.role(me, mine, "coorganizer")
    for event in (mine, *theirs):
        make.role(colleague, event, "organizer")
    make.role(stranger, theirs[0], "coorganizer")

    answer = client.as_(me).get(f"{PATH}?include={include}&sort={sort}")

    people = {each["id"]: each.get("attributes", {}) for each in answer.json["included"]}
    assert people[str(colleague.id)] == {"email": colleague.email}
    assert people.get(str(stranger.id), {}) == {}


def test_a_colleague_from_one_event_is_a_stranger_at_another(client, make):
    me, colleague = make.user(), make.user()
    here, there = make.event(colleague), make.event(colleague)
    make.role(me, here, "coorganizer")

    def seen_at(event):
        return client.as_(me).get(f"{PATH}/{event.id}?include=owner").json["included"][0]

    assert seen_at(here)["attributes"] == {"email": colleague.email}
    assert "attributes" not in seen_at(there)


@pytest.mark.parametrize("zone", ["localtime", "Factory", "posixrules", "posix/UTC", "right/UTC"])
def test_a_time_zone_that_means_something_else_on_every_machine_is_refused(organizer, event, zone):
    response = organizer.patch(f"{PATH}/{event.id}", document("event", event.id, timezone=zone))

    assert_error(response, 422, "validation", pointer="/data/attributes/timezone")
