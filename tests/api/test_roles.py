"""Roles are given and taken away, through the front door."""

import pytest

from app.extensions import db
from app.models import AuditEntry, UsersEventsRole
from tests.callers import assert_error, document
from tests.databases import on_both, on_sqlite
from tests.simultaneous import at_once

pytestmark = on_sqlite

PATH = "/v1/users-events-roles"
EVENT, USER = "/data/relationships/event", "/data/relationships/user"


@pytest.fixture(name="friend")
def _friend(make):
    return make.user("friend@example.com")


def to(user):
    return {"user": {"type": "user", "id": str(getattr(user, "id", user))}}


def role_document(event, role="organizer", relationships=None, **attributes):
    linkage = {"event": {"type": "event", "id": str(getattr(event, "id", event))}}
    return document(
        "users-events-role", None, linkage | (relationships or {}), role=role, **attributes
    )


def roles_of(event):
    db.session.rollback()
    rows = db.session.query(UsersEventsRole).filter_by(event_id=event.id)
    return sorted((row.user_id, row.role) for row in rows)


def role_id(event, user):
    return db.session.query(UsersEventsRole).filter_by(event_id=event.id, user_id=user.id).one().id


@pytest.mark.parametrize("role", ["owner", "organizer", "coorganizer"])
@pytest.mark.parametrize("reference", ["id", "identifier"])
@on_both
def test_an_owner_gives_a_role_to_a_user(client, event, owner, friend, role, reference):
    body = role_document(getattr(event, reference), role, to(friend))

    response = client.as_(owner).post(PATH, body)

    assert response.status_code == 201, response.text
    data = response.json["data"]
    assert data["type"] == "users-events-role"
    assert data["attributes"] == {"role": role}
    assert data["relationships"]["user"]["data"] == {"type": "user", "id": str(friend.id)}
    assert data["relationships"]["event"]["data"] == {"type": "event", "id": str(event.id)}
    assert (friend.id, role) in roles_of(event)


def test_the_user_may_be_named_by_email(client, event, owner, friend):
    body = role_document(event, email=" Friend@Example.com ")

    response = client.as_(owner).post(PATH, body)

    assert response.status_code == 201, response.text
    assert "email" not in response.json["data"]["attributes"]
    assert (friend.id, "organizer") in roles_of(event)


def test_an_empty_relationship_names_nobody_and_leaves_it_to_the_email(
    client, event, owner, friend
):
    body = role_document(event, relationships={"user": None}, email=friend.email)

    response = client.as_(owner).post(PATH, body)

    assert response.status_code == 201, response.text


@pytest.mark.parametrize("who", ["id", "email", "both"])
def test_a_user_who_is_not_there_is_told_with_a_pointer(client, event, owner, friend, who):
    relationships = to(999_999) if who == "id" else to(friend) if who == "both" else None
    attributes = {} if who == "id" else {"email": "nobody@example.com"}

    response = client.as_(owner).post(
        PATH, role_document(event, relationships=relationships, **attributes)
    )

    pointer = "/data/attributes/email" if who == "email" else USER
    assert_error(response, 422, "validation", pointer=pointer)


@pytest.mark.parametrize("gone", [{"is_blocked": True}, {"deleted_at": "then"}])
@on_both
def test_a_blocked_or_deleted_user_is_given_no_role(client, make, event, owner, gone):
    if "deleted_at" in gone:
        gone = {"deleted_at": event.starts_at}
    user = make.user(**gone)

    response = client.as_(owner).post(PATH, role_document(event, relationships=to(user)))

    assert_error(response, 422, "validation", pointer=USER)


def test_nobody_can_ask_for_many_who_are_not_there(client, event, owner, friend):
    caller = client.as_(owner)
    for number in range(30):
        body = role_document(event, email=f"{number}@example.com")
        assert caller.post(PATH, body).status_code == 422

    response = caller.post(PATH, role_document(event, email=friend.email))

    assert_error(response, 429, "rate-limited")
    assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (lambda event: role_document(event), USER),
        (lambda event: role_document(event, relationships={"user": None}, email=None), USER),
        (lambda event: document("users-events-role", None, to(1), role="organizer"), EVENT),
        (
            lambda event: document(
                "users-events-role", None, to(1) | {"event": None}, role="organizer"
            ),
            EVENT,
        ),
        (
            lambda event: role_document(event, "admin", email="a@example.com"),
            "/data/attributes/role",
        ),
        (lambda event: role_document(event, None, email="a@example.com"), "/data/attributes/role"),
        (lambda event: role_document(event, email=7), "/data/attributes/email"),
        (lambda event: role_document(event, email="\x00"), "/data/attributes/email"),
    ],
)
def test_a_document_that_is_not_complete_is_told_what_is_wrong(client, event, owner, body, pointer):
    response = client.as_(owner).post(PATH, body(event))

    error = assert_error(response, 422, "validation")
    assert error["source"]["pointer"].removesuffix("/data") == pointer


@pytest.mark.parametrize("reference", ["999999", "feedbeef", "nonsense", "", "9" * 30])
def test_an_event_that_is_not_there_is_not_found(client, owner, friend, reference):
    body = role_document(reference, relationships=to(friend))

    response = client.as_(owner).post(PATH, body)

    assert_error(response, 404, "not-found", pointer=EVENT)


def test_a_deleted_event_has_no_roles_any_more(client, make, owner, friend):
    event = make.event(owner, deleted_at=make.event().starts_at)
    caller = client.as_(owner)

    given = caller.post(PATH, role_document(event, relationships=to(friend)))
    listed = caller.get(f"/v1/events/{event.id}/users-events-roles")
    taken = caller.delete(f"{PATH}/{role_id(event, owner)}")

    for response in (given, listed, taken):
        assert_error(response, 404, "not-found")


@pytest.mark.parametrize(
    ("role", "state", "status"),
    [
        (None, "published", 403),
        (None, "draft", 404),
        ("coorganizer", "draft", 403),
        ("organizer", "published", 403),
    ],
)
def test_whoever_is_not_the_owner_manages_no_roles_and_learns_of_no_account(
    client, make, owner, friend, role, state, status
):
    event = make.event(owner, state=state)
    user = make.person(event, role) if role else make.user()
    caller = client.as_(user)
    code = {403: "forbidden", 404: "not-found"}[status]

    for email in (friend.email, "nobody@example.com"):
        assert_error(caller.post(PATH, role_document(event, email=email)), status, code)
    assert_error(caller.get(f"/v1/events/{event.id}/users-events-roles"), status, code)
    assert_error(caller.delete(f"{PATH}/{role_id(event, owner)}"), status, code)


def test_an_admin_manages_the_roles_of_every_event(client, make, event, owner, friend):
    caller = client.as_(make.admin())

    response = caller.post(PATH, role_document(event, "owner", to(friend)))

    assert response.status_code == 201
    assert caller.delete(f"{PATH}/{role_id(event, owner)}").status_code == 200
    assert roles_of(event) == [(friend.id, "owner")]


@on_both
def test_a_role_is_given_once(client, event, owner, friend):
    caller = client.as_(owner)
    body = role_document(event, relationships=to(friend))
    caller.post(PATH, body)

    assert_error(caller.post(PATH, body), 409, "conflict")
    assert len(roles_of(event)) == 2


@on_both
def test_a_role_is_given_once_when_many_give_it_at_the_same_moment(client, event, owner, friend):
    caller = client.as_(owner)
    body = role_document(event, relationships=to(friend))

    answers = at_once(8, lambda _: caller.post(PATH, body))

    statuses = sorted(response.status_code for response in answers)
    assert statuses == [201] + [409] * 7
    assert roles_of(event) == sorted([(owner.id, "owner"), (friend.id, "organizer")])
    for response in answers:
        if response.status_code == 409:
            assert "already" in assert_error(response, 409, "conflict")["detail"]


def test_a_role_that_is_taken_away_ends_its_rights_with_the_next_request(
    client, make, event, owner
):
    organizer = make.person(event, "organizer")
    caller = client.as_(organizer)
    change = document("event", event.id, name="Fair")
    assert caller.patch(f"/v1/events/{event.id}", change).status_code == 200

    response = client.as_(owner).delete(f"{PATH}/{role_id(event, organizer)}")

    assert response.status_code == 200
    assert response.json["meta"] == {"message": "Object successfully deleted"}
    assert_error(caller.patch(f"/v1/events/{event.id}", change), 403, "forbidden")


@pytest.mark.parametrize("reference", ["999999", "nonsense", "9" * 30])
def test_a_role_that_is_not_there_cannot_be_taken_away(client, owner, reference):
    assert_error(client.as_(owner).delete(f"{PATH}/{reference}"), 404, "not-found")


def test_the_last_owner_stays(client, make, event, owner):
    make.role(owner, event, "organizer")
    make.role(make.user(deleted_at=event.starts_at), event, "owner")
    role = db.session.query(UsersEventsRole).filter_by(user_id=owner.id, role="owner").one()

    response = client.as_(make.admin()).delete(f"{PATH}/{role.id}")

    assert_error(response, 409, "conflict")
    assert (owner.id, "owner") in roles_of(event)


@on_both
def test_of_several_owners_one_stays_when_all_are_removed_at_the_same_moment(
    client, make, event, owner
):
    owners = [owner, *(make.person(event, "owner") for _ in range(5))]
    paths = [f"{PATH}/{role_id(event, each)}" for each in owners]
    caller = client.as_(make.admin())

    answers = at_once(6, lambda number: caller.delete(paths[number]))

    assert sorted(response.status_code for response in answers) == [200] * 5 + [409]
    assert len(roles_of(event)) == 1


@on_both
def test_a_role_is_taken_away_once_when_many_take_it_at_the_same_moment(client, make, event, owner):
    path = f"{PATH}/{role_id(event, make.person(event, 'organizer'))}"
    caller = client.as_(owner)

    answers = at_once(6, lambda _: caller.delete(path))

    assert sorted(response.status_code for response in answers) == [200] + [404] * 5


@on_both
def test_the_roles_of_an_event_are_listed_page_by_page(client, make, event, owner):
    people = [make.person(event, "organizer") for _ in range(3)]
    path = f"/v1/events/{event.identifier}/users-events-roles"

    response = client.as_(owner).get(f"{path}?page[size]=3&include=user")

    assert response.json["meta"] == {"count": 4}
    listed = [each["relationships"]["user"]["data"]["id"] for each in response.json["data"]]
    assert listed == [str(each.id) for each in (owner, *people[:2])]
    assert response.json["links"]["next"].startswith(path)
    emails = {each["attributes"]["email"] for each in response.json["included"]}
    assert emails == {owner.email, people[0].email, people[1].email}


@on_both
def test_the_list_can_be_filtered_by_role_and_shows_no_other_event(client, make, event, owner):
    make.person(make.event(), "organizer")
    organizer = make.person(event, "organizer")

    response = client.as_(owner).get(
        f"/v1/events/{event.id}/users-events-roles?filter[role]=organizer"
    )

    (found,) = response.json["data"]
    assert found["relationships"]["user"]["data"]["id"] == str(organizer.id)


def test_who_gave_and_took_which_role_is_recorded(client, event, owner, friend):
    caller = client.as_(owner)
    caller.post(PATH, role_document(event, relationships=to(friend)))
    caller.delete(f"{PATH}/{role_id(event, friend)}")

    db.session.rollback()
    entries = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert [(each.action, each.user_id, each.event_id) for each in entries] == [
        ("users-events-role.create", owner.id, event.id),
        ("users-events-role.delete", owner.id, event.id),
    ]
    assert {each.subject for each in entries} == {f"user {friend.id} as organizer"}
