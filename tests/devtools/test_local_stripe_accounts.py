"""Deauthorizing and reading accounts, V20 to V22 of the vectors in docs/local-stripe.md."""

import pytest

from tests.devtools.conftest import error_of


@pytest.fixture
def grant(platform):
    return platform.exchange(platform.code()).json()


def not_connected(account_id):
    return (
        401,
        "invalid_client",
        f"This application is not connected to stripe account {account_id}, "
        "or that account does not exist.",
    )


def test_v20_deauthorizing_names_the_account_and_ends_the_connection(platform, grant):
    response = platform.deauthorize()

    assert (response.status_code, response.json()) == (
        200,
        {"stripe_user_id": grant["stripe_user_id"]},
    )
    assert not platform.is_connected()
    assert platform.read_account(key=grant["access_token"]).status_code == 401


def test_v20_the_second_time_the_account_is_not_connected(platform, grant):
    platform.deauthorize()

    response = platform.deauthorize()

    assert error_of(response) == not_connected(grant["stripe_user_id"])


def test_v20_the_key_may_come_as_a_field(platform, grant):
    data = {"client_id": platform.test.client_id, "stripe_user_id": grant["stripe_user_id"]}

    response = platform.post(
        "/oauth/deauthorize", {**data, "client_secret": platform.test.secret_key}
    )

    assert response.status_code == 200


def test_v20_the_other_modes_connection_stands(platform, grant):
    platform.exchange(platform.code(livemode=True), platform.live.secret_key)

    platform.deauthorize()

    assert platform.is_connected(platform.live)


@pytest.mark.parametrize("field", ["client_id", "stripe_user_id"])
def test_v20_both_fields_are_needed(platform, grant, field):
    response = platform.deauthorize(**{field: ""})

    assert error_of(response)[:2] == (400, "invalid_request")
    assert platform.is_connected()


def test_v21_a_bad_client_id_is_named_before_the_account_is_looked_at(platform, grant):
    response = platform.deauthorize(client_id="bogus_client_id")

    assert error_of(response) == (
        401,
        "invalid_client",
        "No such application: 'bogus_client_id'",
    )
    assert response.headers["Www-Authenticate"] == 'Bearer realm="Stripe"'
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


def test_v21_the_other_modes_client_id_is_a_bad_one(platform, grant):
    response = platform.deauthorize(client_id=platform.live.client_id)

    assert error_of(response)[2] == f"No such application: '{platform.live.client_id}'"


def test_v21_a_switch_gives_another_text_for_the_other_modes_client_id(platform):
    platform.control("switches", {"deauthorize_other_mode_text": "Wrong mode"})

    response = platform.deauthorize(client_id=platform.live.client_id)

    assert error_of(response) == (401, "invalid_client", "Wrong mode")


def test_v21_a_made_up_account_tells_that_id_and_key_match(platform):
    response = platform.deauthorize("acct_made_up")

    assert error_of(response) == not_connected("acct_made_up")


def test_v21_a_switch_gives_the_other_text_for_a_made_up_account(platform):
    platform.control("switches", {"unknown_account_text": "no-such-user"})

    response = platform.deauthorize("acct_made_up")

    assert error_of(response) == (401, "invalid_client", "No such user: acct_made_up")


def test_an_account_controlled_by_a_platform_cannot_be_deauthorized(platform):
    managed = next(each for each in platform.state()["accounts"] if each["controlled_by"])

    response = platform.deauthorize(managed["id"])

    assert error_of(response)[2].startswith("no_deauth_on_controlled_account")


def test_v22_an_account_can_be_read_while_it_is_connected(platform, grant):
    account = platform.read_account().json()

    assert account["id"] == grant["stripe_user_id"]
    assert account["type"] == "standard"
    assert account["settings"]["dashboard"]["display_name"] == "Rocket Rides"
    assert (account["email"], account["country"]) == ("rocket@example.com", "DE")
    assert (account["charges_enabled"], account["payouts_enabled"]) == (True, True)
    assert account["requirements"]["disabled_reason"] is None


def test_v22_after_deauthorizing_it_is_forbidden_in_stripes_words(platform, grant):
    platform.deauthorize()

    response = platform.read_account()

    key = platform.test.secret_key
    assert response.status_code == 403
    assert response.json() == {
        "error": {
            "message": f"The provided key 'sk_test_{'*' * 20}{key[-4:]}' does not have access to "
            f"account '{grant['stripe_user_id']}' (or that account does not exist). "
            "Application access may have been revoked.",
            "type": "invalid_request_error",
            "code": "account_invalid",
            "doc_url": "https://stripe.com/docs/error-codes/account-invalid",
        }
    }


def test_v22_a_test_connection_is_no_business_of_the_live_key(platform, grant):
    response = platform.read_account(key=platform.live.secret_key)

    assert response.status_code == 403


@pytest.mark.parametrize(("is_covered", "status"), [(True, 200), (False, 403)])
def test_v22_a_live_connection_opens_test_mode_unless_switched_off(platform, is_covered, status):
    platform.exchange(platform.code(livemode=True), platform.live.secret_key)
    platform.control("switches", {"live_connection_covers_test": is_covered})

    response = platform.read_account()

    assert response.status_code == status


def test_a_restricted_account_says_why(platform):
    account_id = platform.world.offered_accounts()[2].id
    platform.exchange(platform.code(account=account_id))

    account = platform.read_account(account_id).json()

    assert account["charges_enabled"] is False
    assert account["requirements"]["disabled_reason"] == "requirements.past_due"
    assert account["requirements"]["past_due"] != []


def test_a_platform_reads_its_own_account(platform):
    response = platform.get("/v1/account", auth=(platform.test.secret_key, ""))

    assert response.json()["id"] == platform.test.owner


def test_a_platform_reads_a_connected_account_by_header(platform, grant):
    options = {"auth": (platform.test.secret_key, "")}
    named = {"Stripe-Account": grant["stripe_user_id"]}

    response = platform.get("/v1/account", headers=named, **options)

    assert response.json()["id"] == grant["stripe_user_id"]


def test_without_a_key_the_api_explains_how_to_send_one(platform):
    response = platform.get("/v1/account")

    assert response.status_code == 401
    assert response.json()["error"]["message"].startswith("You did not provide an API key.")


def test_an_unknown_key_is_masked_by_the_api(platform):
    response = platform.read_account(key="sk_test_MadeUpMadeUpMadeUpABCD")

    assert response.status_code == 401
    assert (
        response.json()["error"]["message"] == f"Invalid API Key provided: sk_test_{'*' * 18}ABCD"
    )


def test_an_unknown_address_is_refused_in_the_apis_shape(platform):
    response = platform.get("/v1/charges", auth=(platform.test.secret_key, ""))

    assert response.status_code == 404
    assert response.json()["error"]["message"] == "Unrecognized request URL (GET: /v1/charges)."
