"""Revealing one of the platform's secrets, through the front door."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.db.clock import database_now
from app.db.transactions import transaction
from app.extensions import db
from app.models import AuditEntry
from tests.api.platform_keys import GOOD, MASKS, PUBLIC, SECRET, change, move
from tests.callers import Client, assert_error
from tests.conftest import make_app
from tests.databases import on_both, on_sqlite

pytestmark = on_sqlite

PATH = "/v1/settings?reveal=stripe-secret-key"


@pytest.fixture(name="user")
def _user(make):
    return make.admin()


@pytest.fixture(name="admin")
def _admin(client, user):
    """An administrator who has just given the password, on a platform with all keys."""
    admin = client.as_(user, is_fresh=True)
    change(admin, GOOD)
    return admin


def revealed():
    db.session.rollback()
    entries = select(AuditEntry).where(AuditEntry.action == "settings.reveal")
    return [(entry.user_id, entry.subject) for entry in db.session.scalars(entries)]


def record_reveal(user, ago):
    with transaction() as session:
        at = session.scalar(select(database_now())) - ago
        entry = AuditEntry(action="settings.reveal", subject="x", user_id=user.id, at=at)
        session.add(entry)


@pytest.mark.parametrize("path", ["/v1/settings", "/v1/settings/1"])
@on_both
def test_an_admin_with_a_fresh_token_sees_one_secret_in_clear(admin, user, path):
    for name in SECRET:
        response = admin.get(f"{path}?reveal={name}")

        shown = response.json["data"]["attributes"]
        assert response.status_code == 200
        assert {each: shown[each] for each in SECRET} == {**MASKS, name: GOOD[name]}
        assert {each: shown[each] for each in PUBLIC} == {each: GOOD[each] for each in PUBLIC}
        assert response.headers["Cache-Control"] == "no-store"
    assert revealed() == [(user.id, name) for name in SECRET]


def test_without_asking_nothing_is_revealed_not_even_freshly(admin):
    assert GOOD["stripe-secret-key"] not in admin.get("/v1/settings").text


def test_a_token_that_is_not_fresh_reveals_nothing(client, admin, user):
    error = assert_error(client.as_(user).get(PATH), 403, "forbidden")

    assert "password" in error["detail"]
    assert revealed() == []


def test_nobody_but_an_admin_reveals_anything(client, admin, make):
    user = client.as_(make.user(), is_fresh=True)

    for path in (PATH, "/v1/settings?reveal=nonsense", "/v1/settings?reveal="):
        assert_error(client.get(path), 401, "unauthenticated")
        assert_error(user.get(path), 403, "forbidden")
    assert revealed() == []


@pytest.mark.parametrize(
    "query",
    [
        "reveal=",
        "reveal=nonsense",
        "reveal=stripe-client-id",
        "reveal=stripe_secret_key",
        "reveal=code-digest-key",
        "reveal=stripe-secret-key,stripe-webhook-secret",
        "reveal=stripe-secret-key&reveal=stripe-webhook-secret",
        "reveal=stripe-secret-key&reveal=stripe-secret-key",
    ],
)
def test_only_one_of_the_four_secrets_can_be_asked_for(admin, query):
    response = admin.get(f"/v1/settings?{query}")

    assert_error(response, 400, "bad-parameter", parameter="reveal")
    assert revealed() == []


def test_a_secret_that_is_not_set_is_null_and_does_not_count(admin):
    change(admin, {"stripe-secret-key": ""})

    answers = [admin.get(PATH) for _ in range(6)]

    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json["data"]["attributes"]["stripe-secret-key"] is None
    assert revealed() == []


def test_a_secret_that_does_not_open_is_an_error_and_does_not_count(admin):
    move("stripe_secret_key", "stripe_test_secret_key")

    response = admin.app.test_client().get(
        "/v1/settings?reveal=stripe-test-secret-key",
        headers={"Authorization": f"JWT {admin.token}"},
    )

    assert response.status_code == 500
    assert "CANARY" not in response.text
    assert revealed() == []


def test_changing_the_settings_reveals_nothing(admin):
    response = change(admin, {"stripe-mode": "production"}, path=PATH)

    assert response.status_code == 200
    assert response.json["data"]["attributes"]["stripe-secret-key"] == MASKS["stripe-secret-key"]
    assert revealed() == []


def test_the_sixth_time_within_an_hour_is_refused(admin, user):
    record_reveal(user, ago=timedelta(minutes=61))
    record_reveal(user, ago=timedelta(minutes=45))

    statuses = [admin.get(PATH).status_code for _ in range(4)]
    refused = admin.get("/v1/settings?reveal=stripe-webhook-secret")

    assert statuses == [200] * 4
    assert_error(refused, 429, "rate-limited")
    assert 880 <= int(refused.headers["Retry-After"]) <= 900
    assert "CANARYwebhook" not in refused.text


def test_the_limit_is_each_admins_own_and_signing_in_again_does_not_help(admin, user, client, make):
    for _ in range(5):
        admin.get(PATH)

    again = client.as_(user, is_fresh=True)
    other = client.as_(make.admin(), is_fresh=True)

    assert_error(again.get(PATH), 429, "rate-limited")
    assert other.get(PATH).status_code == 200


@on_both
def test_the_limit_is_exact_over_instances_and_simultaneous_requests(
    admin, app, user, database_url
):
    instances = [make_app(database_url) for _ in range(2)]
    callers = [Client(instance, admin.token) for instance in instances] * 6
    barrier = threading.Barrier(len(callers))
    statuses = []

    def ask(caller):
        barrier.wait()
        statuses.append(caller.get(PATH).status_code)

    threads = [threading.Thread(target=ask, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for instance in instances:
        with instance.app_context():
            db.engine.dispose()

    assert sorted(statuses) == [200] * 5 + [429] * 7
    assert len(revealed()) == 5


def test_it_is_recorded_and_committed_before_it_is_answered(admin, app, monkeypatch):
    """What the caller could read is written down even if the answer is lost on its way."""

    def lose(*_given, **_more):
        raise RuntimeError("the answer is lost")

    monkeypatch.setattr("app.api.settings.SettingDetail.dump", lose)

    lost = app.test_client().get(PATH, headers={"Authorization": f"JWT {admin.token}"})

    assert lost.status_code == 500
    assert len(revealed()) == 1


def test_without_a_record_there_is_no_answer(admin, app, monkeypatch):
    def fail(*_given, **_more):
        raise RuntimeError("cannot record")

    monkeypatch.setattr("app.services.audit.record", fail)

    response = app.test_client().get(PATH, headers={"Authorization": f"JWT {admin.token}"})

    assert response.status_code == 500
    assert "CANARY" not in response.text
