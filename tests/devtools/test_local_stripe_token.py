"""POST /oauth/token, V9 to V18 of the vectors in docs/local-stripe.md."""

import contextlib
import re
import threading

import pytest

from tests.devtools.conftest import NO_AUTHENTICATION, REUSED, error_of, other_platform

FOREIGN = "Authorization code provided does not belong to you"


def present(platform, code, form, key):
    """Present *code* with *key* in one of the ways a client might."""
    data = {"grant_type": "authorization_code", "code": code}
    if form == "client_secret":
        return platform.post("/oauth/token", {**data, "client_secret": key})
    if form == "basic":
        return platform.post("/oauth/token", data, auth=(key, ""))
    return platform.post("/oauth/token", data, headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize("form", ["client_secret", "basic", "bearer"])
def test_v9_a_code_is_exchanged_with_each_of_the_three_forms(platform, form):
    response = present(platform, platform.code(), form, platform.test.secret_key)

    assert response.status_code == 200
    assert platform.is_connected()


def test_v9_the_answer_has_the_seven_fields_of_old(platform):
    body = platform.exchange(platform.code()).json()

    assert re.fullmatch(r"sk_test_[A-Za-z0-9]{24}", body["access_token"])
    assert re.fullmatch(r"rt_[A-Za-z0-9]+", body["refresh_token"])
    assert re.fullmatch(r"pk_test_[A-Za-z0-9]{24}", body["stripe_publishable_key"])
    assert re.fullmatch(r"acct_[A-Za-z0-9]{16}", body["stripe_user_id"])
    assert (body["scope"], body["livemode"], body["token_type"]) == ("read_write", False, "bearer")
    assert len(body) == 7


def test_v9_live_keys_come_with_live_codes(platform):
    body = platform.exchange(platform.code(livemode=True), platform.live.secret_key).json()

    assert body["livemode"] is True
    assert body["access_token"].startswith("sk_live_")
    assert body["stripe_publishable_key"].startswith("pk_live_")


def test_v9_fields_that_stripe_does_not_know_are_ignored(platform):
    response = platform.exchange(
        platform.code(), redirect_uri="http://x.example", client_id="ca_x", code_verifier="v"
    )

    assert response.status_code == 200


def test_v9_the_header_wins_over_the_field(platform):
    data = {
        "grant_type": "authorization_code",
        "code": platform.code(),
        "client_secret": platform.test.secret_key,
    }

    response = platform.post("/oauth/token", data, auth=("sk_test_wrong", ""))

    assert error_of(response) == (401, "invalid_client", "No such API key: sk_test_wrong")


def test_v10_client_id_and_secret_as_basic_credentials_are_refused(platform):
    code = platform.code()
    data = {"grant_type": "authorization_code", "code": code}
    client_id = platform.test.client_id

    response = platform.post("/oauth/token", data, auth=(client_id, platform.test.secret_key))

    assert error_of(response) == (401, "invalid_client", f"No such API key: {client_id}")
    assert response.headers["Www-Authenticate"] == 'Bearer realm="Stripe"'


def test_v11_no_key_at_all_is_told_in_stripes_words(platform):
    response = platform.post("/oauth/token", {"grant_type": "authorization_code"})

    assert error_of(response) == (401, "invalid_client", NO_AUTHENTICATION)


@pytest.mark.parametrize(
    ("header", "field", "named"),
    [
        ("Bearer", None, "Bearer"),
        ("Bearer sk_test_made_up", None, "sk_test_made_up"),
        (None, "", ""),
        (None, "sk_test_made_up", "sk_test_made_up"),
        ("Basic !!!", None, "!!!"),
    ],
)
def test_v11_an_unknown_key_is_named(platform, header, field, named):
    data = {"grant_type": "authorization_code", "code": "ac_1"}
    if field is not None:
        data["client_secret"] = field

    response = platform.post("/oauth/token", data, headers={"Authorization": header})

    assert error_of(response) == (401, "invalid_client", f"No such API key: {named}")


def test_restricted_keys_are_taken_only_with_the_switch(platform):
    refused = platform.exchange(platform.code(), platform.test.restricted_key)
    platform.control("switches", {"restricted_keys_accepted": True})
    accepted = platform.exchange(platform.code(), platform.test.restricted_key)

    assert (refused.status_code, accepted.status_code) == (401, 200)


def test_v12_no_grant_type_is_told_in_stripes_words(platform):
    response = platform.post("/oauth/token", {"client_secret": platform.test.secret_key})

    assert error_of(response) == (400, "invalid_request", "No grant type specified")


def test_an_unknown_grant_type_is_refused(platform):
    response = platform.exchange(platform.code(), grant_type="password")

    assert error_of(response)[:2] == (400, "unsupported_grant_type")


@pytest.mark.parametrize("grant_type", ["authorization_code", "refresh_token"])
def test_a_grant_without_its_code_is_refused(platform, grant_type):
    response = platform.exchange("", grant_type=grant_type)

    assert error_of(response)[:2] == (400, "invalid_request")


def test_v13_an_unknown_code_is_echoed(platform):
    response = platform.exchange("ac_made_up")

    assert error_of(response) == (
        400,
        "invalid_grant",
        "Authorization code does not exist: ac_made_up",
    )


def test_v14_a_code_is_good_for_299_seconds(platform, clock):
    code = platform.code()
    clock.forward(299)

    assert platform.exchange(code).status_code == 200


def test_v14_after_301_seconds_it_has_expired(platform, clock):
    code = platform.code()
    clock.forward(301)

    response = platform.exchange(code)

    assert error_of(response) == (400, "invalid_grant", "Authorization code expired")
    assert not platform.is_connected()


def test_v15_a_code_presented_twice_is_refused_in_stripes_words(platform):
    code = platform.code()
    platform.exchange(code)

    assert error_of(platform.exchange(code)) == (400, "invalid_grant", REUSED)


def test_v15_the_second_time_takes_tokens_and_connection_away(platform):
    code = platform.code()
    token = platform.exchange(code).json()["access_token"]
    before = platform.read_account(key=token).status_code

    platform.exchange(code)

    assert (before, platform.read_account(key=token).status_code) == (200, 401)
    assert platform.read_account().status_code == 403
    assert not platform.is_connected()


def test_v15_a_switch_takes_only_the_tokens(platform):
    platform.control("switches", {"reuse_revokes": "tokens"})
    code = platform.code()
    token = platform.exchange(code).json()["access_token"]

    platform.exchange(code)

    assert platform.read_account(key=token).status_code == 401
    assert platform.read_account().status_code == 200


def exchange_at_once(platform, code, count):
    start = threading.Barrier(count)
    statuses = []

    def attempt():
        start.wait(10)
        statuses.append(platform.exchange(code).status_code)

    threads = [threading.Thread(target=attempt) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(statuses)


def test_v16_of_simultaneous_exchanges_exactly_one_succeeds(platform):
    assert exchange_at_once(platform, platform.code(), 8) == [200] + [400] * 7


def test_v16_no_second_exchange_gets_between_looking_at_a_code_and_spending_it(
    platform, monkeypatch
):
    code, clock = platform.code(), platform.world.clock
    both_inside = threading.Barrier(2)

    def look_at_the_clock():
        with contextlib.suppress(threading.BrokenBarrierError):
            both_inside.wait(0.5)
        return clock.real()

    monkeypatch.setattr(clock, "now", look_at_the_clock)

    assert exchange_at_once(platform, code, 2) == [200, 400]


def test_v17_the_key_of_another_platform_is_refused_and_spends_nothing(platform):
    code = platform.code()

    response = platform.exchange(code, other_platform(platform)["secret_key"])

    assert error_of(response) == (400, "invalid_grant", FOREIGN)
    assert platform.exchange(code).status_code == 200


def test_v18_a_live_key_cannot_take_a_test_code(platform):
    code = platform.code()

    response = platform.exchange(code, platform.live.secret_key)

    assert error_of(response) == (
        400,
        "invalid_grant",
        "Passed in livemode API key but authorization code only supports returning test keys",
    )
    assert platform.exchange(code).status_code == 200


def test_v18_a_test_key_cannot_take_a_live_code(platform):
    response = platform.exchange(platform.code(livemode=True))

    assert error_of(response) == (400, "invalid_grant", FOREIGN)


def test_an_idempotency_key_changes_nothing_unless_switched_on(platform):
    code = platform.code()
    data = {"grant_type": "authorization_code", "code": code}
    options = {"auth": (platform.test.secret_key, ""), "headers": {"Idempotency-Key": "once"}}

    first = platform.post("/oauth/token", data, **options)
    second = platform.post("/oauth/token", data, **options)

    assert (first.status_code, second.status_code) == (200, 400)


def test_with_the_switch_an_idempotency_key_replays_the_first_answer(platform):
    platform.control("switches", {"idempotency_on_connect": True})
    data = {"grant_type": "authorization_code", "code": platform.code()}
    options = {"auth": (platform.test.secret_key, ""), "headers": {"Idempotency-Key": "once"}}

    first = platform.post("/oauth/token", data, **options)
    second = platform.post("/oauth/token", data, **options)

    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
