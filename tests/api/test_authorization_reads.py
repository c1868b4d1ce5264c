"""Reading links: who sees which, how much of it, and in which shape."""

import json
from urllib.parse import quote

import pytest
from sqlalchemy import text

from app.db.transactions import transaction
from app.services.events.queries import read_events
from tests.callers import assert_error, document
from tests.databases import on_both, on_sqlite

pytestmark = on_sqlite

PUBLIC = {"stripe-publishable-key"}
PRIVATE = {
    "stripe-user-id",
    "livemode",
    "scope",
    "linked-at",
    "method",
    "account-status",
    "display-name",
    "country",
}


@pytest.fixture(name="linked")
def _linked(make, event, platform):
    return make.link(event)


@pytest.fixture(name="paths")
def _paths(event, linked):
    return [
        f"/v1/stripe-authorizations/{linked.id}",
        f"/v1/events/{event.id}/stripe-authorization",
        f"/v1/events/{event.identifier}/stripe-authorization",
    ]


def attributes(response):
    return set(response.json["data"]["attributes"])


@on_both
def test_anybody_may_read_the_publishable_key_of_a_published_event(client, paths, linked):
    for path in paths:
        response = client.get(path)

        assert attributes(response) == PUBLIC
        assert (
            linked.stripe_publishable_key
            == (response.json["data"]["attributes"]["stripe-publishable-key"])
        )


def test_coorganizers_read_the_private_part_too(client, make, event, paths):
    coorganizer = client.as_(make.person(event, "coorganizer"))

    for path in paths:
        assert attributes(coorganizer.get(path)) == PUBLIC | PRIVATE


@pytest.mark.parametrize(
    ("change", "by"), [("draft", "anonymous"), ("draft", "user"), ("off", "anonymous")]
)
def test_a_link_that_is_not_public_is_not_there_for_strangers(
    client, make, owner, platform, change, by
):
    event = make.event(
        owner,
        state="draft" if change == "draft" else "published",
        can_pay_by_stripe=change != "off",
    )
    link = make.link(event)
    caller = client if by == "anonymous" else client.as_(make.user())

    for path in (
        f"/v1/stripe-authorizations/{link.id}",
        f"/v1/events/{event.id}/stripe-authorization",
        f"/v1/stripe-authorizations/{link.id}/event",
        f"/v1/stripe-authorizations/{link.id}/relationships/event",
    ):
        assert_error(caller.get(path), 404, "not-found")
    assert client.as_(owner).get(f"/v1/stripe-authorizations/{link.id}").status_code == 200


def test_a_link_of_the_other_mode_reads_as_not_linked_and_comes_back(
    client, organizer, event, linked, make, stripe
):
    make.platform(stripe, mode="production")
    path = f"/v1/events/{event.id}"

    assert_error(organizer.get(f"{path}/stripe-authorization"), 404, "not-found")
    assert_error(client.get(f"/v1/stripe-authorizations/{linked.id}"), 404, "not-found")
    assert organizer.get(path).json["data"]["attributes"]["is-stripe-linked"] is False
    assert organizer.get(f"/v1/stripe-authorizations/{linked.id}").status_code == 200

    make.platform(stripe, mode="debug")
    assert organizer.get(path).json["data"]["attributes"]["is-stripe-linked"] is True


def test_the_list_holds_what_the_caller_may_see_in_full_of_both_modes(
    client, organizer, make, event, owner, linked
):
    live = make.link(event, livemode=True)
    make.link(make.event())

    response = organizer.get("/v1/stripe-authorizations")

    ids = [each["id"] for each in response.json["data"]]
    assert [str(linked.id), str(live.id)] == ids
    assert response.json["meta"] == {"count": 2}
    assert client.as_(make.admin()).get("/v1/stripe-authorizations").json["meta"]["count"] == 3
    assert client.as_(make.user()).get("/v1/stripe-authorizations").json["data"] == []


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("filter[event]={event}", 2),
        ("filter[event]=999", 0),
        ("filter[livemode]=true", 1),
        ("filter[stripe-user-id]={account}", 1),
        ('filter=[{{"name":"livemode","op":"eq","val":false}}]', 1),
        ('filter=[{{"name":"event","op":"in","val":[{event},7]}}]', 2),
    ],
)
@on_both
def test_the_list_can_be_filtered(organizer, make, event, linked, query, count):
    make.link(event, livemode=True)

    path = query.format(event=event.id, account=linked.stripe_user_id)
    response = organizer.get(f"/v1/stripe-authorizations?{path}")

    assert response.status_code == 200, response.text
    assert count == response.json["meta"]["count"]


@on_both
def test_a_search_by_account_finds_ones_own_links_alone(client, organizer, make, linked):
    make.link(make.event())
    search = '[{"name":"stripe-user-id","op":"like","val":"acct%25"}]'
    path = f"/v1/stripe-authorizations?filter={search}"

    mine, other = (caller.get(path).json for caller in (organizer, client.as_(make.user())))

    assert [str(linked.id)] == [each["id"] for each in mine["data"]]
    assert mine["meta"] == {"count": 1}
    assert other["data"] == []
    assert client.get(path).status_code == 401


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("filter[stripe-secret-key]=a", "filter[stripe-secret-key]"),
        ("filter[stripe_secret_key]=a", "filter[stripe_secret_key]"),
        ('filter=[{"name":"stripe-secret-key","op":"like","val":"sk%25"}]', "filter"),
        ('filter=[{"name":"event","op":"eq","field":"stripe_secret_key"}]', "filter"),
        ('filter=[{"name":"event","op":"property","val":1}]', "filter"),
        ('filter=[{"name":"event","op":["eq"],"val":1}]', "filter"),
        ('filter=[{"or":[]}]', "filter"),
        ("filter=[1]", "filter"),
        ("filter=x", "filter"),
        ("filter=" + "[" * 5000, "filter"),
        ("filter[event]=word", "filter[event]"),
        ("filter[livemode]=perhaps", "filter[livemode]"),
        ("filter[event", "filter[event"),
        ("sort=stripe-secret-key", "sort"),
        ("sort=-", "sort"),
        ("include=stripe-secret-key", "include"),
        ("include=event.stripe-authorization", "include"),
        ("fields[stripe-authorization]=stripe-auth-code", "fields[stripe-authorization]"),
        ("fields[stripe-authorization]=stripe-secret-key", "fields[stripe-authorization]"),
        ("fields[user]=email", "fields[user]"),
        ("page[size]=0", "page[size]"),
        ("page[size]=101", "page[size]"),
        ("page[size]=-1", "page[size]"),
        ("page[number]=0", "page[number]"),
        ("page[number]=1e3", "page[number]"),
        ("page[number]=99999999999999999999", "page[number]"),
        ("page[offset]=1", "page[offset]"),
        ("page=1", "page"),
    ],
)
def test_an_unknown_or_unreadable_name_is_refused_by_its_parameter(organizer, query, parameter):
    response = organizer.get(f"/v1/stripe-authorizations?{query}")

    assert_error(response, 400, "bad-parameter", parameter=parameter)


def test_parameters_that_are_not_json_apis_are_ignored(client, paths):
    for path in paths:
        assert client.get(f"{path}?public=true&cache=true&nocache=1&refresh=1").status_code == 200


def test_the_event_can_be_included(organizer, paths, event):
    for path in paths:
        document = organizer.get(f"{path}?include=event&fields[event]=name").json

        (included,) = document["included"]
        assert included["attributes"] == {"name": "Summit"}
        assert str(event.id) == included["id"]


def test_a_link_names_its_event_by_links_alone_unless_it_is_included(client, paths, linked, event):
    links = {
        "self": f"/v1/stripe-authorizations/{linked.id}/relationships/event",
        "related": f"/v1/stripe-authorizations/{linked.id}/event",
    }
    linkage = {"type": "event", "id": str(event.id)}

    for path in paths:
        alone, included = client.get(path).json, client.get(f"{path}?include=event").json

        assert alone["data"]["relationships"] == {"event": {"links": links}}
        assert included["data"]["relationships"] == {"event": {"links": links, "data": linkage}}
    of_event = client.get(f"/v1/events/{event.id}?include=stripe-authorization").json
    assert of_event["included"][0]["relationships"] == {"event": {"links": links}}


def test_linkage_names_the_other_by_type_and_id_and_nothing_else(client, event, linked):
    event_path, link_path = f"/v1/events/{event.id}", f"/v1/stripe-authorizations/{linked.id}"

    of_event = client.get(f"{event_path}/relationships/stripe-authorization").json
    of_link = client.get(f"{link_path}/relationships/event").json

    assert of_event["data"] == {"type": "stripe-authorization", "id": str(linked.id)}
    assert of_event["links"] == {
        "self": f"{event_path}/relationships/stripe-authorization",
        "related": f"{event_path}/stripe-authorization",
    }
    assert of_link["data"] == {"type": "event", "id": str(event.id)}
    assert of_link["links"] == {
        "self": f"{link_path}/relationships/event",
        "related": f"{link_path}/event",
    }


@pytest.mark.parametrize("reference", ["%00", "1%00", "%EF%BF%BF", "a" * 400])
def test_an_address_that_names_no_event_has_no_link(client, make, reference):
    make.link(make.event())

    response = client.get(f"/v1/events/{reference}/stripe-authorization")

    assert_error(response, 404, "not-found")


@pytest.mark.parametrize(
    ("pattern", "status"),
    [("a\\", 400), ("\\\\\\", 400), ("a\\\\", 200), ("a\\%", 200), ("%", 200)],
)
@pytest.mark.parametrize("operator", ["like", "ilike"])
def test_a_pattern_must_not_end_in_the_middle_of_an_escape(client, make, operator, pattern, status):
    wanted = json.dumps([{"name": "stripe-user-id", "op": operator, "val": pattern}])

    response = client.as_(make.user()).get(f"/v1/stripe-authorizations?filter={quote(wanted)}")

    assert response.status_code == status


@pytest.mark.parametrize("operator", ["gt", "ge", "lt", "le", "like"])
def test_a_flag_has_no_order(client, make, operator):
    wanted = json.dumps([{"name": "livemode", "op": operator, "val": True}])

    response = client.as_(make.user()).get(f"/v1/stripe-authorizations?filter={wanted}")

    error = assert_error(response, 400, "bad-parameter", parameter="filter")
    assert error["detail"] == "There is no such comparison. Possible: eq, ne, in."


def test_the_linkage_of_an_event_without_a_link_is_null(client, make):
    event = make.event()

    response = client.get(f"/v1/events/{event.id}/relationships/stripe-authorization")

    assert response.status_code == 200
    assert response.json["data"] is None


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_every_write_to_a_relationship_is_refused(client, organizer, make, event, linked, method):
    for path in (
        f"/v1/events/{event.id}/relationships/stripe-authorization",
        f"/v1/stripe-authorizations/{linked.id}/relationships/event",
    ):
        body = {"data": None}
        assert_error(client.send(method, path, body), 403, "forbidden")
        assert_error(organizer.send(method, path, body), 403, "forbidden")
        assert_error(client.as_(make.admin()).send(method, path, body), 403, "forbidden")


def test_an_event_takes_over_nobody_elses_link(organizer, client, make, event, linked):
    theirs = make.link(make.event())
    body = document(
        "event",
        event.id,
        {"stripe_authorization": {"type": "stripe-authorization", "id": str(theirs.id)}},
    )

    response = organizer.patch(f"/v1/events/{event.id}", body)

    assert response.status_code == 200
    of_event = client.get(f"/v1/events/{event.id}/stripe-authorization")
    assert str(linked.id) == of_event.json["data"]["id"]


def test_links_of_one_request_never_name_another_requests_event(client, make, event, linked):
    other = make.event()
    make.link(other)

    for each in (event, other, event):
        link = client.get(f"/v1/events/{each.id}/stripe-authorization").json["data"]
        linkage = client.get(link["relationships"]["event"]["links"]["self"]).json
        assert linkage["data"]["id"] == str(each.id)


@on_both
def test_an_event_that_is_deleted_while_its_link_is_read_takes_the_link_along(
    client, owner, event, paths, monkeypatch
):
    def delete_first(*arguments):
        with transaction() as session:
            session.execute(text("UPDATE events SET deleted_at = created_at"))
        return read_events(*arguments)

    reader = client.as_(owner)
    monkeypatch.setattr("app.api.stripe_authorizations.read_events", delete_first)

    assert reader.get("/v1/stripe-authorizations?include=event").json["data"] == []
    for path in paths:
        with transaction() as session:
            session.execute(text("UPDATE events SET deleted_at = NULL"))
        assert_error(reader.get(f"{path}?include=event"), 404, "not-found")
