"""The audit trail: who may read it, and that nobody changes it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.transactions import transaction
from app.extensions import db
from app.models import AuditEntry
from tests.api.platform_keys import change
from tests.callers import assert_error

A_DAY = datetime(2027, 5, 1, 9, tzinfo=UTC)
SAME = [
    "UPDATE audit_entries SET subject = 'another'",
    "UPDATE audit_entries SET id = id + 100",
    "UPDATE audit_entries SET user_id = NULL WHERE id = 1",
    "DELETE FROM audit_entries",
    "DELETE FROM audit_entries WHERE id = 1",
]
TAMPERING = {
    "postgresql": [
        *SAME,
        "TRUNCATE audit_entries",
        "TRUNCATE audit_entries RESTART IDENTITY CASCADE",
        "INSERT INTO audit_entries (id, at, action, subject) VALUES (1, now(), 'a', 'another')"
        " ON CONFLICT (id) DO UPDATE SET subject = 'another'",
        "WITH gone AS (DELETE FROM audit_entries RETURNING id) SELECT * FROM gone",
    ],
    "sqlite": [
        *SAME,
        "INSERT OR REPLACE INTO audit_entries (id, at, action, subject)"
        " VALUES (1, '2027-05-01 09:00:00.000000', 'a', 'another')",
        "INSERT INTO audit_entries (id, at, action, subject)"
        " VALUES (1, '2027-05-01 09:00:00.000000', 'a', 'another')"
        " ON CONFLICT (id) DO UPDATE SET subject = 'another'",
    ],
}


@pytest.fixture(name="admin")
def _admin(client, make):
    return client.as_(make.admin())


@pytest.fixture(name="trail", autouse=True)
def _trail(app):
    """Five deeds, an hour apart: of users 1 and 2, to events 7 and 8, and one of nobody's."""
    deeds = [
        ("stripe-authorization.link", "acct_1", 1, 7),
        ("stripe-authorization.unlink", "acct_1", 1, 7),
        ("stripe-authorization.link", "acct_2", 2, 8),
        ("settings.change", "stripe-secret-key", 2, None),
        ("stripe-authorization.erase", "acct_2", None, 8),
    ]
    with transaction() as session:
        for number, (action, subject, user_id, event_id) in enumerate(deeds):
            session.add(
                AuditEntry(
                    at=A_DAY + timedelta(hours=number),
                    action=action,
                    subject=subject,
                    user_id=user_id,
                    event_id=event_id,
                    request_id=f"request-{number}",
                )
            )
            session.flush()


def ids(response):
    assert response.status_code == 200, response.text
    return [int(entry["id"]) for entry in response.json["data"]]


def test_an_admin_reads_who_did_what_newest_first(admin):
    response = admin.get("/v1/audit-entries")

    assert ids(response) == [5, 4, 3, 2, 1]
    assert response.json["meta"] == {"count": 5}
    assert response.json["data"][1] == {
        "type": "audit-entry",
        "id": "4",
        "attributes": {
            "at": "2027-05-01T12:00:00+00:00",
            "action": "settings.change",
            "subject": "stripe-secret-key",
            "user-id": "2",
            "event-id": None,
            "request-id": "request-3",
        },
    }


def test_nobody_else_reads_it(client, make):
    organizer = client.as_(make.person(make.event(), "organizer"))

    assert_error(client.get("/v1/audit-entries"), 401, "unauthenticated")
    assert_error(organizer.get("/v1/audit-entries"), 403, "forbidden")
    assert_error(organizer.get("/v1/audit-entries?filter[user-id]=1"), 403, "forbidden")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filter[action]=settings.change", [4]),
        ("filter[action]=settings.change,stripe-authorization.link", [4, 3, 1]),
        ("filter[user-id]=1", [2, 1]),
        ("filter[event-id]=8", [5, 3]),
        ("filter[user-id]=2&filter[event-id]=8", [3]),
        ("filter[user-id]=99", []),
        ('filter=[{"name":"user-id","op":"ne","val":1}]', [4, 3]),
        ("sort=id", [1, 2, 3, 4, 5]),
        ("sort=-id", [5, 4, 3, 2, 1]),
        ("sort=at", [1, 2, 3, 4, 5]),
        ("sort=-at", [5, 4, 3, 2, 1]),
        ("page[size]=2", [5, 4]),
        ("page[size]=2&page[number]=3", [1]),
        ("page[size]=2&page[number]=4", []),
    ],
)
def test_it_can_be_filtered_sorted_and_paged(admin, query, found):
    assert ids(admin.get(f"/v1/audit-entries?{query}")) == found


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("filter[subject]=x", "filter[subject]"),
        ("filter[request-id]=x", "filter[request-id]"),
        ("filter[user-id]=me", "filter[user-id]"),
        ("sort=subject", "sort"),
        ("include=user", "include"),
        ("page[size]=101", "page[size]"),
    ],
)
def test_what_it_does_not_know_is_refused(admin, query, parameter):
    response = admin.get(f"/v1/audit-entries?{query}")

    assert_error(response, 400, "bad-parameter", parameter=parameter)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_no_request_writes_to_it(admin, method):
    response = admin.send(method, "/v1/audit-entries", {"data": {"type": "audit-entry"}})

    assert_error(response, 405, "method-not-allowed")


def test_an_entry_names_the_request_that_it_came_from(admin):
    response = change(admin, {"stripe-client-id": "ca_CANARY"})

    (entry,) = admin.get("/v1/audit-entries?page[size]=1").json["data"]
    assert entry["attributes"]["request-id"] == response.headers["X-Request-ID"]
    assert entry["attributes"]["subject"] == "stripe-client-id"


def test_a_deed_that_fails_leaves_no_entry(admin, monkeypatch):
    def fail(*_given, **_more):
        raise RuntimeError

    monkeypatch.setattr("app.services.platform.settings._record_change", fail)
    admin.app.test_client().patch(
        "/v1/settings",
        json={"data": {"type": "setting", "id": "1", "attributes": {"stripe-client-id": "ca_x"}}},
        headers={"Authorization": f"JWT {admin.token}"},
    )

    assert admin.get("/v1/audit-entries").json["meta"] == {"count": 5}
    attributes = admin.get("/v1/settings").json["data"]["attributes"]
    assert attributes["stripe-client-id"] is None


def test_the_database_itself_refuses_to_change_or_delete_entries(app):
    for statement in TAMPERING[db.engine.dialect.name]:
        before = entries()

        with pytest.raises(DBAPIError, match="append-only"), db.engine.begin() as connection:
            connection.execute(text(statement))

        assert entries() == before, statement


def test_an_entry_outlives_the_user_and_the_event_it_speaks_of(app, make):
    user = make.user()
    event = make.event(user)
    with transaction() as session:
        session.add(
            AuditEntry(action="event.delete", subject="x", user_id=user.id, event_id=event.id)
        )

    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM users_events_roles"))
        connection.execute(text("DELETE FROM events"))
        connection.execute(text("DELETE FROM users"))

    assert {user.id, event.id, "event.delete"} <= set(entries()[-1])


def entries():
    with db.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM audit_entries ORDER BY id")).all()
    return [tuple(row) for row in rows]
