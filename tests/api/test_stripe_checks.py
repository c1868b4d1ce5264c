"""`stripe-check`: are the platform's keys right, and if not, what is to be done?"""

import pytest

from app.clients.stripe import PlatformCheck
from app.db.transactions import transaction
from app.extensions import db
from app.models import Setting
from tests.callers import assert_error, document
from tests.databases import on_both, on_sqlite

pytestmark = on_sqlite

PATH = "/v1/stripe-checks"
NAMES = ["secret-key", "client-id", "publishable-key", "webhook-secret", "connection"]
KEYS = ("secret_key", "client_id", "publishable_key", "webhook_secret")


@pytest.fixture(autouse=True)
def _set_up(platform):
    """Every story here has a platform that is set up in both modes."""


@pytest.fixture(name="admin")
def _admin(client, make):
    return client.as_(make.admin())


@pytest.fixture(name="check")
def _check(admin):
    """Checks, and returns the attributes."""

    def check():
        response = admin.post(PATH)
        db.session.rollback()
        assert response.status_code == 201, response.text
        return response.json["data"]["attributes"]

    return check


def put(**values) -> None:
    """Write settings as they are, without the judgement of the front door."""
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        for name, value in values.items():
            setattr(setting, name, value)


def results(found, mode="test") -> dict[str, str]:
    return {each["check"]: each["result"] for each in found["checks"] if each["mode"] == mode}


def sentence(found, name, mode="test") -> str:
    (found,) = [
        each["sentence"]
        for each in found["checks"]
        if (each["mode"], each["check"]) == (mode, name)
    ]
    return found


@on_both
def test_right_keys_are_ok_in_both_modes(admin, stripe):
    response = admin.post(PATH)

    assert response.status_code == 201
    assert "Location" not in response.headers
    resource = response.json["data"]
    assert resource["type"] == "stripe-check" and resource["id"]
    attributes = resource["attributes"]
    assert attributes["ok"] is True
    assert attributes["stripe-mode"] == "debug"
    assert attributes["checked-at"].endswith("+00:00")
    for mode in ("test", "live"):
        assert results(attributes, mode) == dict.fromkeys(NAMES, "ok")


def test_nobody_is_disconnected_by_it(check, stripe):
    stripe.connect(stripe.accounts[0])

    check()

    assert stripe.connections() == {stripe.accounts[0]}
    asked = {each["form"]["stripe_user_id"] for each in stripe.asked("/oauth/deauthorize")}
    assert len(asked) == 2 and not asked & set(stripe.accounts)


def test_a_key_that_stripe_does_not_accept_has_failed(check):
    put(stripe_test_secret_key="sk_test_wrongwrongwrongwrongwrong")

    found = check()

    assert found["ok"] is False
    assert results(found)["secret-key"] == "failed"
    assert results(found)["client-id"] == "skipped"
    assert "Developers" in sentence(found, "secret-key")
    assert results(found, "live") == dict.fromkeys(NAMES, "ok")


def test_the_client_id_of_another_platform_has_failed(check, stripe):
    put(stripe_test_client_id=stripe.other_platform()["client_id"])

    found = check()

    assert found["ok"] is False
    assert results(found)["secret-key"] == "ok"
    assert results(found)["client-id"] == "failed"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret-key", "pk_test_abcdefghijklmnopqrstuvwx"),
        ("secret-key", "sk_live_" + "abcdefghijklmnopqrstuvwx"),
        ("client-id", "acct_abcdefgh"),
        ("publishable-key", "sk_test_abcdefghijklmnopqrstuvwx"),
        ("publishable-key", "pk_live_" + "abcdefghijklmnopqrstuvwx"),
        ("webhook-secret", "sk_test_abcdefghijklmnopqrstuvwx"),
    ],
)
def test_a_key_of_another_kind_or_mode_has_failed(check, name, value):
    put(**{f"stripe_test_{name.replace('-', '_')}": value})

    found = check()

    assert found["ok"] is False
    assert results(found)[name] == "failed"
    assert value not in str(found)


@pytest.mark.parametrize("name", ["secret-key", "client-id", "publishable-key"])
def test_a_missing_key_has_failed_if_others_are_set(check, name):
    put(**{f"stripe_test_{name.replace('-', '_')}": None})

    found = check()

    assert found["ok"] is False
    assert results(found)[name] == "failed"


def test_without_a_client_id_the_secret_key_is_checked_all_the_same(check):
    put(stripe_test_client_id=None)

    assert results(check())["secret-key"] == "ok"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("publishable-key", "whatever"),
        ("publishable-key", "pk_abcdefgh"),
        ("publishable-key", "pk_test_"),
        ("webhook-secret", "whatever"),
        ("webhook-secret", "whsec_"),
    ],
)
def test_what_cannot_be_recognized_is_skipped_and_never_praised(check, name, value):
    put(**{f"stripe_test_{name.replace('-', '_')}": value})

    found = check()

    assert results(found) == {**dict.fromkeys(NAMES, "ok"), name: "skipped"}
    assert "cannot be told" in sentence(found, name)
    assert value not in sentence(found, name)


@pytest.mark.parametrize("name", ["secret-key", "client-id"])
def test_what_stripe_does_not_know_has_failed_whatever_it_looks_like(check, name):
    put(**{f"stripe_test_{name.replace('-', '_')}": "whatever"})

    assert results(check())[name] == "failed"


def test_a_secret_key_that_does_not_tell_its_mode_is_skipped_though_stripe_accepts_it(
    app, check, monkeypatch
):
    client = app.extensions["stripe"]
    monkeypatch.setattr(client, "check_platform", lambda **_: PlatformCheck("ok", "It is right."))
    monkeypatch.setattr(client, "read_platform_id", lambda **_: "acct_1")
    put(stripe_test_secret_key="whatever")

    found = check()

    assert results(found)["secret-key"] == "skipped"
    assert "does not tell" in sentence(found, "secret-key")


@pytest.mark.parametrize(
    ("fault", "words"),
    [("key-restricted", "may not read accounts"), ("key-expired", "does not accept it")],
)
def test_a_key_that_the_api_does_not_take_has_failed_though_oauth_does(check, stripe, fault, words):
    stripe.fault(fault, on="accounts")

    found = check()

    assert found["ok"] is False
    assert results(found)["secret-key"] == "failed"
    assert results(found)["client-id"] == "skipped"
    assert words in sentence(found, "secret-key")


def test_an_api_that_says_nothing_of_the_key_changes_nothing(check, stripe):
    stripe.fault("account-500", on="accounts")

    assert results(check()) == dict.fromkeys(NAMES, "ok")


def test_a_missing_webhook_secret_is_told_and_has_not_failed(check):
    put(stripe_test_webhook_secret=None)

    found = check()

    assert found["ok"] is True
    assert results(found)["webhook-secret"] == "skipped"
    assert "disconnects" in sentence(found, "webhook-secret")


def test_a_mode_that_is_not_set_up_is_skipped(check, stripe):
    put(**{f"stripe_{name}": None for name in KEYS})

    found = check()

    assert found["ok"] is True
    assert results(found, "live") == dict.fromkeys(NAMES, "skipped")
    assert len(stripe.asked("/oauth/deauthorize")) == 1


@pytest.mark.parametrize("fault", ["500-before", "html", "429", "close-after-request"])
def test_a_stripe_that_does_not_answer_says_nothing_of_the_keys(check, stripe, fault):
    stripe.fault(fault, on="deauthorize")

    found = check()

    assert found["ok"] is False
    assert results(found)["connection"] == "failed"
    assert results(found)["secret-key"] == results(found)["client-id"] == "skipped"


def test_a_key_that_cannot_be_read_is_told(check):
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        setting.sealed_stripe_test_secret_key = setting.sealed_stripe_secret_key

    found = check()

    assert results(found)["secret-key"] == "failed"


@on_both
def test_no_connection_to_the_database_is_held_while_stripe_is_asked(app, check, monkeypatch):
    client = app.extensions["stripe"]
    ask, held = client.check_platform, []

    def watch(**keys):
        held.append(db.engine.pool.checkedout())
        return ask(**keys)

    monkeypatch.setattr(client, "check_platform", watch)
    check()

    assert held == [0, 0]


def test_a_current_mode_without_keys_is_not_ok(check):
    put(**{f"stripe_test_{name}": None for name in KEYS})

    found = check()

    assert found["ok"] is False
    assert results(found) == dict.fromkeys(NAMES, "skipped")
    assert results(found, "live") == dict.fromkeys(NAMES, "ok")


def test_a_document_of_the_type_is_accepted_and_no_other(admin):
    assert admin.post(PATH, document("stripe-check")).status_code == 201
    assert_error(admin.post(PATH, document("event")), 409, "wrong-type", pointer="/data/type")
    assert_error(admin.post(PATH, "[]"), 422, "validation", pointer="/data")
    assert_error(admin.post(PATH, "{"), 400, "malformed-json")


def test_it_is_for_administrators(client, make, stripe):
    assert_error(client.post(PATH), 401, "unauthenticated")
    assert_error(client.as_(make.user()).post(PATH), 403, "forbidden")
    assert stripe.asked("/oauth/deauthorize") == []


def test_there_is_nothing_to_read(admin):
    assert_error(admin.get(PATH), 405, "method-not-allowed")
