"""The control endpoints, and what every answer has in common (V26)."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.devtools.local_stripe.control_webhooks import SPEC
from tests.devtools.conftest import query_of

CONTROL = (
    "faults",
    "clock",
    "switches",
    "codes",
    "connections",
    "accounts",
    "accounts/acct_unknown",
    "webhooks",
)


def asked(platform):
    return platform.get("/_control/requests").json()["requests"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/oauth/authorize"),
        ("post", "/oauth/authorize"),
        ("post", "/oauth/token"),
        ("get", "/oauth/token"),
        ("post", "/oauth/deauthorize"),
        ("get", "/v1/accounts/acct_1"),
        ("get", "/v1/nothing"),
        ("get", "/dashboard"),
        ("get", "/_control/state"),
        ("post", "/_control/faults"),
        ("get", "/nowhere"),
    ],
)
def test_v26_every_answer_names_its_request_and_is_never_stored(platform, method, path):
    response = getattr(platform, method)(path)

    assert re.fullmatch(r"req_[A-Za-z0-9]{14}", response.headers["Request-Id"])
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_v26_a_good_answer_and_a_refusal_look_as_recorded(platform):
    good = platform.exchange(platform.code())
    bad = platform.exchange("ac_unknown", "sk_test_unknown")

    assert good.headers["Content-Type"] == "application/json"
    assert good.text.startswith('{\n  "access_token": ')
    assert bad.headers["Content-Type"] == "application/json; charset=utf-8"
    assert bad.text.startswith('{\n  "error": "invalid_client",\n  "error_description": ')
    for response in (good, bad):
        assert response.headers["Cache-Control"] == (
            "max-age=0, no-cache, no-store, must-revalidate"
        )
        assert response.headers["Pragma"] == "no-cache"
        assert response.headers["Expires"] == "0"
        assert response.headers["X-Robots-Tag"] == "none"
        assert "Set-Cookie" in response.headers
        assert "Stripe-Version" not in response.headers
        assert "Idempotency-Key" not in response.headers


def test_v26_a_switch_drops_the_request_id_of_a_foreign_account(platform):
    platform.control("switches", {"forbidden_account_has_request_id": False})

    response = platform.read_account("acct_foreign")

    assert response.status_code == 403
    assert "Request-Id" not in response.headers


def test_connections_are_kept_alive(platform):
    first = platform.http.get(platform.url + "/v1/account", timeout=10, stream=True)
    used = first.raw.connection.sock.getsockname()
    first.content  # noqa: B018 - reading it frees the connection
    second = platform.http.get(platform.url + "/v1/account", timeout=10, stream=True)

    assert second.raw.connection.sock.getsockname() == used


def test_a_huge_body_is_refused(platform):
    response = platform.post("/oauth/token", b"x" * 1_000_001)

    assert response.status_code == 413


def test_what_was_asked_can_be_read_with_the_form_of_authentication(platform):
    code = platform.code()
    platform.exchange(code)
    data = {"grant_type": "authorization_code", "code": code}
    platform.post("/oauth/token", data, auth=(platform.test.client_id, "x"))

    first, second = asked(platform)

    assert (first["method"], first["path"], first["form"]["code"]) == (
        "POST",
        "/oauth/token",
        code,
    )
    assert (first["auth"], first["key"]) == (["client_secret"], platform.test.secret_key)
    assert (first["status"], second["status"]) == (200, 401)
    assert second["auth"] == ["basic-client-id"]
    assert (first["times_presented"], second["times_presented"]) == (1, 2)


def test_codes_presented_twice_are_named(platform):
    once, twice = platform.code(), platform.code()
    for code in (once, twice, twice):
        platform.exchange(code)

    answer = platform.get("/_control/requests").json()

    assert answer["codes_presented_twice"] == [twice]


def test_a_request_that_met_a_fault_says_which(platform):
    platform.control("faults", {"fault": "500-before"})
    platform.exchange(platform.code())

    (entry,) = asked(platform)

    assert (entry["fault"], entry["status"]) == ("500-before", 500)


def test_the_list_of_requests_can_be_emptied(platform):
    platform.exchange(platform.code())

    platform.http.delete(platform.url + "/_control/requests", timeout=10)

    assert asked(platform) == []


def test_steering_and_looking_are_not_listed(platform):
    platform.state()
    platform.get("/dashboard")

    assert asked(platform) == []


def test_the_clock_can_be_moved_so_that_codes_expire(platform):
    code = platform.code()

    answer = platform.control("clock", {"advance": 301})

    assert answer["offset"] == 301
    assert platform.exchange(code).json()["error_description"] == "Authorization code expired"


def test_many_codes_can_be_minted_at_once(platform):
    codes = platform.control("codes", {"count": 50, "livemode": True})["codes"]

    assert len(set(codes)) == 50
    assert {code["livemode"] for code in platform.state()["codes"]} == {True}


def test_a_code_can_be_minted_for_another_platform(platform):
    other = next(
        each for each in platform.state()["applications"] if each["platform"] == "Other Platform"
    )
    code = platform.code(client_id=other["client_id"], scope="read_only")

    body = platform.exchange(code, other["secret_key"]).json()

    assert body["scope"] == "read_only"


def test_a_connection_can_be_made_and_ended_without_a_code(platform):
    spec = {"account": platform.account.id, "livemode": True}
    platform.control("connections", spec)
    connected = platform.is_connected(platform.live)

    ended = platform.http.delete(platform.url + "/_control/connections", json=spec, timeout=10)

    assert connected
    assert ended.json() == {"was_connected": True}
    assert not platform.is_connected(platform.live)


def test_an_account_can_be_added_restricted_and_chosen(platform):
    spec = {"email": "new@example.org", "country": "CH", "display_name": "Neu"}
    account = platform.control("accounts", spec)
    platform.control(f"accounts/{account['id']}", {"disabled_reason": "rejected.fraud"})
    query_of(platform.allow(account=account["id"]))

    known = next(each for each in platform.state()["accounts"] if each["id"] == account["id"])

    assert (known["charges_enabled"], known["default_currency"]) == (False, "chf")


def test_the_state_says_which_tokens_are_valid(platform):
    token = platform.exchange(platform.code()).json()["access_token"]
    before = platform.state()["tokens"]
    platform.deauthorize()

    (known,) = platform.state()["tokens"]

    assert before == [{**known, "valid": True}]
    assert (known["access_token"], known["valid"]) == (token, False)


def test_a_switch_can_be_set_and_taken_back(platform):
    platform.control("switches", {"expired_code_text": "Too late"})
    changed = platform.get("/_control/switches").json()["switches"]["expired_code_text"]

    back = platform.control("switches", {"expired_code_text": None})

    assert changed == "Too late"
    assert back["switches"]["expired_code_text"] == "Authorization code expired"


def test_of_several_switches_all_are_set_or_none(platform):
    response = platform.post("/_control/switches", json={"four_fields": True, "unknown": 1})

    assert response.status_code == 422
    assert platform.get("/_control/switches").json()["switches"]["four_fields"] is False


def test_a_reset_forgets_everything_but_the_keys(platform):
    settings_before = platform.world.settings()
    platform.exchange(platform.code())
    platform.control("switches", {"four_fields": True})
    platform.control("faults", {"fault": "html"})
    platform.control("clock", {"advance": 9})

    platform.control("reset", {})

    state = platform.state()
    assert (state["codes"], state["connections"], state["tokens"]) == ([], [], [])
    assert asked(platform) == []
    assert platform.get("/_control/faults").json()["active"] == {}
    assert platform.get("/_control/clock").json()["offset"] == 0
    assert platform.get("/_control/events").json()["events"] == []
    assert platform.get("/_control/switches").json()["switches"]["four_fields"] is False
    assert platform.world.settings() == settings_before


FAULT_FIELDS = ("fault", "seconds", "status", "times", "on", "commit", "advance")
GRANT_FIELDS = ("count", "account", "livemode", "client_id", "scope", "email", "country")
WEBHOOK_FIELDS = ("secrets", "hold", "send", "resend", "release", "duplicate")
SOME_SWITCHES = ("four_fields", "reuse_revokes", "authorize_error_status")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*FAULT_FIELDS, *GRANT_FIELDS, *WEBHOOK_FIELDS, *SOME_SWITCHES])
EVENT = st.dictionaries(st.sampled_from([*SPEC]), JSON)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(CONTROL), body=JSON | st.dictionaries(NAMES, JSON | EVENT))
def test_nonsense_is_refused_as_json(emulator, path, body):
    response = emulator.app.test_client().post(f"/_control/{path}", json=body)

    assert response.status_code < 500
    assert response.is_json


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
@pytest.mark.parametrize("path", CONTROL)
def test_a_body_that_is_no_object_is_refused_as_json(platform, path, body):
    is_json = {"Content-Type": "application/json"}

    response = platform.post(f"/_control/{path}", body, headers=is_json)

    assert response.status_code == 400
    assert response.json() == {"error": "The body must be a JSON object."}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("codes", {"account": "acct_unknown"}, 404),
        ("codes", {"client_id": "ca_unknown"}, 404),
        ("codes", {"livemode": "yes"}, 422),
        ("codes", {"scope": "admin"}, 422),
        ("codes", {"count": 0}, 422),
        ("codes", {"amount": 5}, 422),
        ("clock", {"advance": "soon"}, 422),
        ("accounts", {"email": "a@b.example"}, 422),
        ("accounts/acct_unknown", {}, 404),
        ("switches", {"no_such_switch": True}, 422),
        ("switches", {"four_fields": "yes"}, 422),
        ("switches", {"reuse_revokes": "everything"}, 422),
    ],
)
def test_bad_input_is_refused_with_a_reason(platform, path, body, status):
    response = platform.post(f"/_control/{path}", json=body)

    assert response.status_code == status
    assert response.json()["error"]
