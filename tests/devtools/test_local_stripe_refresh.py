"""Refreshing a grant, V19 of the vectors in docs/local-stripe.md."""

import pytest

from tests.devtools.conftest import error_of


def refresh(platform, refresh_token, key, **form):
    data = {"grant_type": "refresh_token", "refresh_token": refresh_token, **form}
    return platform.post("/oauth/token", data, auth=(key, ""))


@pytest.fixture
def live_grant(platform):
    return platform.exchange(platform.code(livemode=True), platform.live.secret_key).json()


def test_v19_a_test_key_refreshes_a_live_grant_to_a_test_token(platform, live_grant):
    body = refresh(platform, live_grant["refresh_token"], platform.test.secret_key).json()

    assert body["access_token"].startswith("sk_test_")
    assert body["stripe_publishable_key"].startswith("pk_test_")
    assert body["livemode"] is False
    assert platform.read_account(key=live_grant["access_token"]).status_code == 200


def test_v19_a_refresh_in_the_same_mode_revokes_the_old_token(platform, live_grant):
    body = refresh(platform, live_grant["refresh_token"], platform.live.secret_key).json()

    assert platform.read_account(key=live_grant["access_token"]).status_code == 401
    assert platform.read_account(key=body["access_token"]).status_code == 200


def test_v19_a_live_key_gets_nothing_from_a_test_grant(platform):
    grant = platform.exchange(platform.code()).json()

    response = refresh(platform, grant["refresh_token"], platform.live.secret_key)

    assert error_of(response)[:2] == (400, "invalid_grant")


def test_v19_a_refresh_may_lessen_the_scope(platform, live_grant):
    key = platform.live.secret_key

    response = refresh(platform, live_grant["refresh_token"], key, scope="read_only")

    assert response.json()["scope"] == "read_only"


def test_v19_a_refresh_never_widens_the_scope(platform):
    grant = platform.exchange(platform.code(scope="read_only")).json()
    key = platform.test.secret_key

    response = refresh(platform, grant["refresh_token"], key, scope="read_write")

    assert error_of(response)[:2] == (400, "invalid_scope")


def test_v19_an_unknown_refresh_token_is_echoed(platform):
    response = refresh(platform, "rt_made_up", platform.test.secret_key)

    assert error_of(response) == (
        400,
        "invalid_grant",
        "Refresh token does not exist: rt_made_up",
    )


@pytest.mark.parametrize(
    ("manner", "is_same", "is_shown"),
    [("same", True, True), ("rotate", False, True), ("omit", False, False)],
)
def test_v19_what_becomes_of_the_refresh_token_is_a_switch(
    platform, live_grant, manner, is_same, is_shown
):
    platform.control("switches", {"refresh_token_on_refresh": manner})

    body = refresh(platform, live_grant["refresh_token"], platform.live.secret_key).json()

    assert ("refresh_token" in body) is is_shown
    assert (body.get("refresh_token") == live_grant["refresh_token"]) is is_same
