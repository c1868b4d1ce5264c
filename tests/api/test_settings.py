"""The platform's settings, through the front door."""

import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import select, text

from app.extensions import db
from app.models import AuditEntry
from tests.api.platform_keys import GOOD, MASKS, PUBLIC, SECRET, change, move, settings_document
from tests.callers import assert_error, document
from tests.databases import on_both, on_sqlite

pytestmark = on_sqlite

# What the frontend's admin sends along when the page is saved: every attribute of its model but
# Stripe's keys, what was never set as null, what is read-only too.
FRONTEND_ATTRIBUTES = json.loads((Path(__file__).parent / "frontend_settings.json").read_text())
PREFIXES = [
    *(f"{kind}_{mode}_" for kind in ("pk", "sk", "rk") for mode in ("test", "live")),
    *("sk_org_test_", "sk_org_live_"),
    *("whsec_", "ca_", "rt_", "ac_", "acct_", "we_", "ed_", "evt_", "req_", "cus_", "pi_"),
]
BELONG = {
    "stripe-client-id": {"ca_"},
    "stripe-test-client-id": {"ca_"},
    "stripe-publishable-key": {"pk_live_"},
    "stripe-test-publishable-key": {"pk_test_"},
    "stripe-secret-key": {"sk_live_", "rk_live_", "sk_org_live_"},
    "stripe-test-secret-key": {"sk_test_", "rk_test_", "sk_org_test_"},
    "stripe-webhook-secret": {"whsec_"},
    "stripe-test-webhook-secret": {"whsec_"},
}


@pytest.fixture(name="admin")
def _admin(client, make):
    return client.as_(make.admin())


def read(caller, path="/v1/settings"):
    response = caller.get(path)
    assert response.status_code == 200, response.text
    return response.json["data"]["attributes"]


def deeds():
    entries = db.session.execute(
        select(AuditEntry.action, AuditEntry.subject, AuditEntry.user_id).order_by(AuditEntry.id)
    )
    return [tuple(entry) for entry in entries]


# Reading


@pytest.mark.parametrize("path", ["/v1/settings", "/v1/settings/1"])
@on_both
def test_anybody_reads_the_public_part_and_nothing_else(client, admin, path):
    change(admin, GOOD)

    response = client.get(path)

    assert response.status_code == 200
    assert response.json == {
        "data": {
            "type": "setting",
            "id": "1",
            "attributes": {
                **{name: GOOD[name] for name in PUBLIC},
                "stripe-mode": "debug",
                "stripe-connect-method": "oauth",
                "is-stripe-activated": True,
            },
            "links": {"self": "/v1/settings/1"},
        },
        "links": {"self": "/v1/settings/1"},
        "jsonapi": {"version": "1.0"},
    }


def test_a_user_who_is_no_admin_sees_what_anybody_sees(client, admin, make):
    change(admin, GOOD)

    assert client.as_(make.user()).get("/v1/settings").json == client.get("/v1/settings").json


def test_an_admin_sees_the_secrets_masked(admin):
    change(admin, GOOD)

    seen = read(admin)

    assert {name: seen[name] for name in SECRET} == MASKS
    assert {name: seen[name] for name in PUBLIC} == {name: GOOD[name] for name in PUBLIC}


def test_a_super_admin_is_an_admin(client, make):
    caller = client.as_(make.user(is_super_admin=True))

    assert change(caller, GOOD).status_code == 200
    assert read(caller)["stripe-secret-key"] == MASKS["stripe-secret-key"]


def test_a_secret_without_a_known_prefix_shows_its_last_four_characters(admin):
    change(admin, {"stripe-secret-key": "CANARY-of-no-known-kind-a1B2"})

    assert read(admin)["stripe-secret-key"] == "…a1B2"


def test_a_fresh_platform_has_no_keys_and_test_mode(client, admin):
    assert read(client) == {
        **dict.fromkeys(PUBLIC),
        "stripe-mode": "debug",
        "stripe-connect-method": "oauth",
        "is-stripe-activated": False,
    }
    assert {name: read(admin)[name] for name in SECRET} == dict.fromkeys(SECRET)


@pytest.mark.parametrize("path", ["/v1/settings/2", "/v1/settings/01", "/v1/settings/x"])
def test_there_are_no_other_settings(client, admin, path):
    assert_error(client.get(path), 404, "not-found")
    assert_error(change(admin, GOOD, path), 404, "not-found")


def test_a_bad_header_is_refused_even_here(client):
    response = client.get("/v1/settings", Authorization="JWT nonsense")

    assert_error(response, 401, "unauthenticated")


def test_the_frontends_parameters_are_ignored(client):
    plain = client.get("/v1/settings")

    assert client.get("/v1/settings?public=true&cache=true").json == plain.json


def test_an_anonymous_read_may_be_kept_and_asked_for_again(client, admin):
    first = client.get("/v1/settings")

    again = client.get("/v1/settings", If_None_Match=first.headers["ETag"])
    change(admin, GOOD)
    changed = client.get("/v1/settings", If_None_Match=first.headers["ETag"])

    assert first.headers["Cache-Control"] == "public, no-cache"
    assert again.status_code == 304
    assert changed.status_code == 200


def test_what_an_admin_reads_is_kept_nowhere(admin):
    assert admin.get("/v1/settings").headers["Cache-Control"] == "no-store"


def test_only_the_wanted_fields_are_shown(client, admin):
    change(admin, GOOD)

    response = client.get("/v1/settings?fields[setting]=stripe-mode,stripe-secret-key")

    assert response.json["data"]["attributes"] == {"stripe-mode": "debug"}


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
@pytest.mark.parametrize("path", ["/v1/settings", "/v1/settings/1"])
def test_settings_are_neither_created_nor_deleted(admin, method, path):
    assert_error(admin.send(method, path, settings_document({})), 405, "method-not-allowed")


# Whether Stripe can be used


@pytest.mark.parametrize(("mode", "infix"), [("debug", "-test"), ("production", "")])
def test_stripe_is_activated_by_the_three_keys_of_the_current_mode(client, admin, mode, infix):
    needed = [f"stripe{infix}-{key}" for key in ("client-id", "secret-key", "publishable-key")]

    activated = []
    for given in [[], needed[:1], needed[1:], needed[::2], needed]:
        attributes = {name: GOOD[name] if name in given else "" for name in GOOD}
        change(admin, {**attributes, "stripe-mode": mode})
        activated.append(read(client)["is-stripe-activated"])

    assert activated == [False, False, False, False, True]


def test_keys_of_the_other_mode_do_not_activate_stripe(client, admin):
    test_keys = {name: value for name, value in GOOD.items() if "-test-" in name}

    change(admin, {**test_keys, "stripe-mode": "production"})

    assert read(client)["is-stripe-activated"] is False


def test_the_mode_is_kept_and_shown(client, admin):
    change(admin, {"stripe-mode": "production"})

    assert read(client)["stripe-mode"] == "production"


# Who may change


def test_a_stranger_and_a_user_may_not_change(client, make, admin):
    change(admin, GOOD)
    before = read(admin)

    assert_error(change(client, {"stripe-mode": "production"}), 401, "unauthenticated")
    assert_error(change(client.as_(make.user()), {"stripe-mode": "production"}), 403, "forbidden")
    assert read(admin) == before


def test_a_user_learns_nothing_about_a_secret_by_guessing_its_mask(client, make, admin):
    change(admin, GOOD)
    user = client.as_(make.user())

    right = change(user, {"stripe-secret-key": MASKS["stripe-secret-key"]})
    wrong = change(user, {"stripe-secret-key": "sk_live_…zzzz"})

    assert_error(right, 403, "forbidden")
    assert_error(wrong, 403, "forbidden")
    for mask in (MASKS["stripe-secret-key"], "sk_live_…zzzz"):
        faulty = change(user, {"stripe-secret-key": mask, "stripe-mode": "sandbox"})
        assert_error(faulty, 422, "validation", pointer="/data/attributes/stripe-mode")


# Writing


def test_what_is_written_is_read_by_the_next_request_at_every_instance(
    admin, client, app, database_url
):
    from tests.conftest import make_app

    other = make_app(database_url)
    try:
        here, there = type(client)(app), type(client)(other)
        for key in ("pk_test_CANARYfirst", "pk_test_CANARYsecond"):
            change(admin, {"stripe-test-publishable-key": key})
            seen = [read(caller)["stripe-test-publishable-key"] for caller in (here, there)]
            assert seen == [key, key]
    finally:
        with other.app_context():
            db.engine.dispose()


def test_the_answer_to_a_change_is_the_settings_as_they_are_then(admin):
    response = change(admin, {**GOOD, "stripe-mode": "production"})

    assert response.status_code == 200
    assert response.json == admin.get("/v1/settings").json


@pytest.mark.parametrize("given", [None, 2, "2", "", "01", 1.0, True, [], {}])
def test_a_change_needs_the_id_of_the_settings(admin, given):
    body = settings_document(GOOD)
    body["data"]["id"] = given

    assert_error(admin.patch("/v1/settings", body), 400, "id-mismatch", pointer="/data/id")


def test_a_change_without_an_id_is_refused(admin):
    body = document("setting", stripe_mode="production")

    assert_error(admin.patch("/v1/settings", body), 400, "id-mismatch", pointer="/data/id")


def test_a_number_is_taken_for_the_id(admin):
    body = settings_document({"stripe-mode": "production"})
    body["data"]["id"] = 1

    assert admin.patch("/v1/settings", body).status_code == 200


def test_another_type_is_refused(admin):
    body = settings_document(GOOD)
    body["data"]["type"] = "settings"

    assert_error(admin.patch("/v1/settings", body), 409, "wrong-type", pointer="/data/type")


@pytest.mark.parametrize(
    ("body", "status"),
    [("{", 400), ([], 422), ({"data": None}, 422), ({"data": []}, 422), ("", 422)],
)
def test_what_is_no_document_is_refused(admin, body, status):
    assert admin.patch("/v1/settings", body).status_code in (status, 400)


@pytest.mark.parametrize("attributes", [[], "text", 1, None])
def test_attributes_that_are_no_object_are_refused(admin, attributes):
    response = change(admin, attributes)

    assert_error(response, 422, "validation", pointer="/data/attributes")


def test_values_are_trimmed(admin, client):
    change(
        admin, {"stripe-client-id": " \t\nca_CANARY\n ", "stripe-secret-key": " sk_live_CANARY "}
    )

    assert read(client)["stripe-client-id"] == "ca_CANARY"
    assert read(admin)["stripe-secret-key"] == "sk_live_…"


@pytest.mark.parametrize("empty", ["", "   ", "\n"])
def test_an_empty_text_clears(admin, empty):
    change(admin, GOOD)

    change(admin, dict.fromkeys(GOOD, empty))

    seen = read(admin)
    assert {name: seen[name] for name in GOOD} == dict.fromkeys(GOOD)


def test_null_clears_the_public_keys_and_leaves_the_secrets(admin):
    change(admin, GOOD)

    change(admin, dict.fromkeys(GOOD))

    seen = read(admin)
    assert {name: seen[name] for name in PUBLIC} == dict.fromkeys(PUBLIC)
    assert {name: seen[name] for name in SECRET} == MASKS


def test_the_masks_written_back_change_nothing(admin):
    change(admin, GOOD)
    before = deeds()

    response = change(admin, MASKS)

    assert response.status_code == 200
    assert {name: read(admin)[name] for name in SECRET} == MASKS
    assert deeds() == before


def test_what_an_admin_reads_can_be_written_back_as_it_is(admin):
    change(admin, {**GOOD, "stripe-mode": "production"})
    before, stored = deeds(), stored_text()

    response = change(admin, read(admin))

    assert response.status_code == 200
    assert (deeds(), stored_text()) == (before, stored)


@pytest.mark.parametrize("value", ["…", "sk_live_…zzzz", "ends with…", "…begins with"])
def test_a_shortened_value_that_is_not_the_current_mask_is_refused(admin, value):
    change(admin, GOOD)

    for name in GOOD:
        response = change(admin, {name: value})

        assert_error(response, 422, "validation", pointer=f"/data/attributes/{name}")


def test_the_mask_of_another_secret_is_refused(admin):
    change(admin, GOOD)

    response = change(admin, {"stripe-test-secret-key": MASKS["stripe-secret-key"]})

    pointer = "/data/attributes/stripe-test-secret-key"
    assert_error(response, 422, "validation", pointer=pointer)


def test_a_mask_is_refused_where_nothing_is_stored(admin):
    response = change(admin, {"stripe-secret-key": MASKS["stripe-secret-key"]})

    assert_error(response, 422, "validation", pointer="/data/attributes/stripe-secret-key")


@pytest.mark.parametrize("name", GOOD)
def test_every_key_is_taken_where_it_belongs_and_nowhere_else(admin, name):
    for prefix in PREFIXES:
        response = change(admin, {name: f"{prefix}CANARY0123456789"})

        if prefix in BELONG[name]:
            assert response.status_code == 200, prefix
        else:
            error = assert_error(response, 422, "validation", pointer=f"/data/attributes/{name}")
            assert "CANARY" not in error["detail"]


@pytest.mark.parametrize(
    "value", ["whatever", "ключ", "k", "a b", "PK_LIVE_CANARY", "xpk_test_CANARY", "🔑" * 500]
)
def test_other_text_is_taken_as_it_is(admin, value):
    response = change(admin, dict.fromkeys(GOOD, value))

    assert response.status_code == 200
    assert {read(admin)[name] for name in PUBLIC} == {value}


@pytest.mark.parametrize(
    "value",
    [1, 0, 1.5, True, False, [], ["x"], {}, {"a": 1}]
    + ["a\x00b", "a\nb", "a\tb", "a\x7fb", "a\u200bb", "\u202eab", "\ud800", "x" * 501],
    ids=repr,
)
def test_what_no_key_can_be_is_refused(admin, value):
    change(admin, GOOD)
    stored = stored_text()

    response = change(admin, dict.fromkeys(GOOD, value))

    assert response.status_code == 422
    told = {error["source"]["pointer"] for error in response.json["errors"]}
    assert told == {f"/data/attributes/{name}" for name in GOOD}
    assert stored_text() == stored


@pytest.mark.parametrize("value", [None, "", "live", "test", "Debug", 1, True, [], {}])
def test_there_are_two_modes(admin, value):
    response = change(admin, {"stripe-mode": value})

    assert_error(response, 422, "validation", pointer="/data/attributes/stripe-mode")


@on_both
def test_every_fault_is_told_at_once_and_nothing_is_written(admin):
    change(admin, GOOD)
    stored, before = stored_text(), deeds()

    response = change(
        admin,
        {
            "stripe-mode": "sandbox",
            "stripe-client-id": 5,
            "stripe-publishable-key": "pk_test_CANARYwrongmode",
            "stripe-test-client-id": "ca_CANARYgood",
            "stripe-secret-key": "sk_live_…zzzz",
            "stripe-test-secret-key": "pk_test_CANARYwrongkind",
            "stripe-webhook-secret": "a\x00b",
        },
    )

    assert response.status_code == 422
    assert {error["source"]["pointer"] for error in response.json["errors"]} == {
        f"/data/attributes/stripe-{name}"
        for name in (
            "mode",
            "client-id",
            "publishable-key",
            "secret-key",
            "test-secret-key",
            "webhook-secret",
        )
    }
    assert (stored_text(), deeds()) == (stored, before)


def test_no_fault_repeats_a_value(admin):
    faulty = {name: f"rt_CANARY{name}" for name in GOOD}

    assert "CANARY" not in change(admin, faulty).text


def test_what_is_read_only_or_unknown_is_ignored(admin, client):
    response = change(
        admin,
        {"is-stripe-activated": True, "app-name": {"x": [1]}, "code-digest-key": "x", "id": "7"},
    )

    assert response.status_code == 200
    assert read(client)["is-stripe-activated"] is False


@on_both
def test_the_frontend_can_save_its_settings_page(admin, client):
    change(admin, GOOD)
    shown = read(admin)

    response = change(admin, {**FRONTEND_ATTRIBUTES, **shown, "stripe-mode": "production"})

    assert response.status_code == 200, response.text
    assert read(admin) == {**shown, "stripe-mode": "production"}


def test_a_frontend_that_never_saw_the_secrets_does_not_clear_them(admin):
    change(admin, GOOD)

    response = change(admin, {**FRONTEND_ATTRIBUTES, **dict.fromkeys(SECRET)})

    assert response.status_code == 200
    assert {name: read(admin)[name] for name in SECRET} == MASKS


def test_the_frontends_admin_switches_stripe_off_by_clearing_the_public_keys(admin, client):
    change(admin, GOOD)

    change(admin, dict.fromkeys(PUBLIC))

    assert read(client)["is-stripe-activated"] is False


@on_both
def test_simultaneous_changes_of_different_keys_all_count(app, admin):
    barrier = threading.Barrier(len(GOOD))

    def write(name):
        barrier.wait()
        answers.append(change(admin, {name: GOOD[name]}).status_code)

    answers = []
    threads = [threading.Thread(target=write, args=(name,)) for name in GOOD]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    seen = read(admin)
    assert answers == [200] * len(GOOD)
    assert all(seen[name] == MASKS.get(name, GOOD[name]) for name in GOOD)


# The trail


def test_a_change_is_recorded_by_name_and_never_by_value(client, make):
    user = make.admin()
    admin = client.as_(user)

    change(admin, {**GOOD, "stripe-mode": "production"})
    change(admin, {"stripe-secret-key": "", "stripe-mode": "production"})

    names = sorted([*GOOD, "stripe-mode=production", "stripe-secret-key"])
    assert sorted(subject for _, subject, _ in deeds()) == names
    assert {(action, user_id) for action, _, user_id in deeds()} == {("settings.change", user.id)}


def test_a_value_written_again_is_no_change(admin):
    change(admin, GOOD)
    before, stored = deeds(), stored_text()

    change(admin, GOOD)

    assert (deeds(), stored_text()) == (before, stored)


def stored_text():
    """Return the row as the database has it."""
    db.session.rollback()
    return tuple(db.session.execute(text("SELECT * FROM settings")).one())


# Values that do not open


@pytest.mark.parametrize(
    ("source", "target"),
    [("stripe_client_id", "stripe_test_client_id"), ("stripe_client_id", "stripe_publishable_key")],
)
def test_a_public_value_that_does_not_open_is_not_taken_for_a_missing_one(
    client, admin, source, target
):
    change(admin, GOOD)
    move(source, target)

    response = client.app.test_client().get("/v1/settings")

    assert response.status_code == 500
    assert response.json["errors"][0]["code"] == "internal"
    assert "CANARY" not in response.text


def test_an_admin_sees_which_values_do_not_open_and_writes_them_anew(client, admin):
    change(admin, GOOD)
    move("stripe_secret_key", "stripe_test_secret_key")
    move("stripe_publishable_key", "stripe_test_publishable_key")
    unreadable = ["stripe-test-publishable-key", "stripe-test-secret-key"]

    broken = admin.get("/v1/settings").json
    kept = change(admin, broken["data"]["attributes"]).json
    mended = change(admin, {name: GOOD[name] for name in unreadable}).json

    assert {name: broken["data"]["attributes"][name] for name in unreadable} == dict.fromkeys(
        unreadable, "…"
    )
    assert broken["meta"] == kept["meta"] == {"unreadable": unreadable}
    assert "meta" not in mended
    assert read(client)["stripe-test-publishable-key"] == GOOD["stripe-test-publishable-key"]
