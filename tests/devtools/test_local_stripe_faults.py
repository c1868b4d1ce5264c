"""A Stripe that answers wrongly, V24 and V25 of the vectors in docs/local-stripe.md."""

import pytest

from tests.devtools.conftest import error_of, fail, is_used

REUSED = "This authorization code has already been used."


def test_v24_an_error_before_the_commit_leaves_the_code_good(platform):
    fail(platform, "500-before", times=1)
    code = platform.code()

    first, second = platform.exchange(code), platform.exchange(code)

    assert (first.status_code, second.status_code) == (500, 200)


def test_v24_an_error_after_the_commit_has_spent_it(platform):
    fail(platform, "500-after", times=1)
    code = platform.code()

    first = platform.exchange(code)
    connected = platform.is_connected()
    second = platform.exchange(code)

    assert (first.status_code, connected) == (500, True)
    assert second.json()["error_description"].startswith(REUSED)


@pytest.mark.parametrize("name", ["500-before", "html", "429"])
def test_v24_another_status_can_be_asked_for(platform, name):
    fail(platform, name, status=503)

    assert platform.exchange(platform.code()).status_code == 503


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ("api", '"code": "rate_limit"'),
        ("oauth", '"error": "rate_limit"'),
        ("html", "<!DOCTYPE html>"),
    ],
)
def test_v24_too_many_requests_come_in_the_shape_of_the_switch(platform, shape, found):
    platform.control("switches", {"rate_limit_shape": shape})
    fail(platform, "429")

    response = platform.exchange(platform.code())

    assert response.status_code == 429
    assert found in response.text


def test_v24_a_gateways_page_is_no_json(platform):
    fail(platform, "html")

    response = platform.exchange(platform.code())

    assert response.status_code == 502
    assert response.headers["Content-Type"].startswith("text/html")


def test_an_empty_answer_has_no_body(platform):
    fail(platform, "empty")

    response = platform.exchange(platform.code())

    assert (response.status_code, response.content) == (200, b"")


def test_cut_json_arrives_whole_and_cannot_be_read(platform):
    fail(platform, "cut-json")

    response = platform.exchange(platform.code())

    assert response.status_code == 200
    with pytest.raises(ValueError, match="Unterminated|Expecting"):
        response.json()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("no-description", {"error": "invalid_grant"}),
        (
            "error-object",
            {
                "error": {
                    "message": "Something is wrong with this request",
                    "type": "invalid_request_error",
                }
            },
        ),
        (
            "unknown-error",
            {
                "error": "temporarily_unavailable",
                "error_description": "Please try again later",
            },
        ),
    ],
)
def test_odd_errors_spend_nothing(platform, name, body):
    fail(platform, name)
    code = platform.code()

    response = platform.exchange(code)

    assert (response.status_code, response.json()) == (400, body)
    assert not is_used(platform, code)


@pytest.mark.parametrize("how", ["fault", "switch"])
def test_v25_the_deprecated_fields_can_be_left_out(platform, how):
    if how == "fault":
        fail(platform, "four-field")
    else:
        platform.control("switches", {"four_fields": True})

    body = platform.exchange(platform.code()).json()

    assert sorted(body) == ["livemode", "scope", "stripe_user_id", "token_type"]


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("wrong-livemode", "livemode", True),
        ("wrong-scope", "scope", "read_only"),
        ("no-account", "stripe_user_id", None),
        ("wrong-types", "stripe_user_id", ["acct"]),
    ],
)
def test_a_wrong_grant_is_a_grant_all_the_same(platform, name, field, value):
    fail(platform, name)

    body = platform.exchange(platform.code()).json()

    assert body.get(field) == value
    assert platform.is_connected()


def test_a_publishable_key_can_be_of_the_wrong_mode(platform):
    fail(platform, "wrong-mode-publishable-key")

    body = platform.exchange(platform.code()).json()

    assert body["stripe_publishable_key"].startswith("pk_live_")


def test_a_fault_in_the_grant_leaves_refusals_alone(platform):
    fail(platform, "wrong-scope")

    response = platform.exchange("ac_unknown")

    assert error_of(response)[:2] == (400, "invalid_grant")
    assert "scope" not in response.json()


def test_a_flood_leaves_the_page_for_people_alone(platform):
    fail(platform, "flood", on="authorize")

    assert platform.authorize().status_code == 200


def test_whoever_follows_the_redirect_shows_up(platform):
    fail(platform, "redirect", times=1)
    data = {"grant_type": "authorization_code", "code": platform.code()}

    refused = platform.post("/oauth/token", data)
    platform.http.post(refused.headers["Location"], data, timeout=10)

    paths = [each["path"] for each in platform.get("/_control/requests").json()["requests"]]
    assert refused.status_code == 307
    assert paths == ["/oauth/token", "/elsewhere"]


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("deauthorize-500", (200, 500, 200)),
        ("account-500", (200, 200, 500)),
        ("account-403", (200, 200, 403)),
    ],
)
def test_a_fault_of_one_path_leaves_the_others_alone(platform, name, statuses):
    fail(platform, name)
    exchanged = platform.exchange(platform.code()).status_code
    read = platform.read_account().status_code

    deauthorized = platform.deauthorize().status_code

    assert (exchanged, deauthorized, read) == statuses


def test_any_fault_can_be_limited_to_a_path(platform):
    fail(platform, "500-before", on="accounts")

    assert platform.exchange(platform.code()).status_code == 200
    assert platform.read_account().status_code == 500


def test_without_a_path_the_page_for_people_still_works(platform):
    fail(platform, "500-before")

    assert platform.authorize().status_code == 200


def test_the_page_can_be_broken_on_demand(platform):
    fail(platform, "html", on=["authorize"])

    assert platform.authorize().status_code == 502


def test_two_paths_can_have_a_fault_each(platform):
    fail(platform, "wrong-scope")
    answer = fail(platform, "500-before", on="deauthorize")

    assert {path: fault["fault"] for path, fault in answer["active"].items()} == {
        "token": "wrong-scope",
        "deauthorize": "500-before",
    }


def test_a_new_fault_without_path_replaces_all_others(platform):
    fail(platform, "hang")
    answer = fail(platform, "wrong-scope")

    assert list(answer["active"]) == ["token"]


def test_a_fault_ends_after_the_times_asked_for(platform):
    fail(platform, "500-before", times=2)

    statuses = [platform.exchange(platform.code()).status_code for _ in range(3)]

    assert statuses == [500, 500, 200]


def test_a_refusal_can_come_although_the_work_was_done(platform):
    fail(platform, "html", commit=True)
    code = platform.code()

    platform.exchange(code)

    assert is_used(platform, code)


def test_every_fault_is_listed_with_its_meaning(platform):
    listed = platform.get("/_control/faults").json()

    assert listed["active"] == {}
    assert set(listed["names"]) == set(listed["faults"])
    assert all(name == name.lower() and "_" not in name for name in listed["names"])
    assert all(each["meaning"] and each["on"] for each in listed["faults"].values())


@pytest.mark.parametrize(
    "body",
    [
        {"fault": "no-such-fault"},
        {"fault": ["slow"]},
        {"fault": "slow", "seconds": "long"},
        {"fault": "slow", "seconds": -1},
        {"fault": "500-before", "status": 99},
        {"fault": "html", "seconds": 1},
        {"fault": "html", "times": 0},
        {"fault": "html", "on": "everything"},
        {"fault": "html", "on": []},
        {"fault": "html", "commit": "yes"},
        {"fault": "500-after", "commit": False},
        {"name": "html"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_as_json(platform, body):
    response = platform.post("/_control/faults", json=body)

    assert 400 <= response.status_code < 500
    assert response.json()["error"]
    assert platform.get("/_control/faults").json()["active"] == {}
