"""Proof of fidelity: public clients of Stripe and of OAuth meet what they were written for."""

import pytest
import requests
import stripe
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import InvalidClientError, InvalidGrantError
from requests_oauthlib import OAuth2Session
from stripe import oauth_error

from tests.devtools.conftest import CALLBACK, NO_AUTHENTICATION, REUSED, other_platform, query_of


def exchange(client, code):
    return client.oauth.token(params={"grant_type": "authorization_code", "code": code})


def deauthorize(client, account_id, client_id):
    params = {"stripe_user_id": account_id, "client_id": client_id}
    return client.oauth.deauthorize(params=params)


def test_v1_the_address_that_the_package_builds_opens_the_page(platform):
    url = platform.sdk().oauth.authorize_url(
        params={
            "scope": "read_write",
            "state": "s",
            "redirect_uri": CALLBACK,
            "stripe_user": {"email": "organizer@example.org", "country": "DE"},
        }
    )

    response = requests.get(url, timeout=10)

    assert url.startswith(platform.url + "/oauth/authorize?")
    assert 'value="organizer@example.org"' in response.text


def test_v9_the_package_exchanges_a_code(platform):
    token = exchange(platform.sdk(), platform.code())

    assert token.stripe_user_id == platform.account.id
    assert token.scope == "read_write"
    assert token.livemode is False


@pytest.mark.parametrize("key", ["ca_not_a_key", "sk_test_made_up"])
def test_v10_the_package_raises_invalid_client_for_an_unknown_key(platform, key):
    with pytest.raises(oauth_error.InvalidClientError, match=f"No such API key: {key}") as raised:
        exchange(platform.sdk(key=key), platform.code())

    assert raised.value.http_status == 401


def test_v12_the_package_raises_invalid_request_without_grant_type(platform):
    with pytest.raises(oauth_error.InvalidRequestError, match="No grant type specified"):
        platform.sdk().oauth.token(params={})


def test_the_package_raises_unsupported_grant_type(platform):
    with pytest.raises(oauth_error.UnsupportedGrantTypeError):
        platform.sdk().oauth.token(params={"grant_type": "password"})


def invalid_grants():
    """Each case by what is done to a fresh code, and the words that come back."""
    return [
        ("v13", lambda platform, clock: ("ac_1", None), "Authorization code does not exist: ac_1"),
        ("v14", expired, "Authorization code expired"),
        ("v15", used, REUSED),
        ("v17", foreign, "Authorization code provided does not belong to you"),
        ("v18", live_key, "Passed in livemode API key but authorization code only supports"),
        ("v18-reverse", live_code, "Authorization code provided does not belong to you"),
    ]


def expired(platform, clock):
    code = platform.code()
    clock.forward(301)
    return code, None


def used(platform, clock):
    code = platform.code()
    platform.exchange(code)
    return code, None


def foreign(platform, clock):
    return platform.code(), other_platform(platform)["secret_key"]


def live_key(platform, clock):
    return platform.code(), platform.live.secret_key


def live_code(platform, clock):
    return platform.code(livemode=True), None


@pytest.mark.parametrize(
    ("prepare", "text"),
    [pytest.param(prepare, text, id=name) for name, prepare, text in invalid_grants()],
)
def test_the_package_raises_invalid_grant(platform, clock, prepare, text):
    code, key = prepare(platform, clock)

    with pytest.raises(oauth_error.InvalidGrantError) as raised:
        exchange(platform.sdk(key=key), code)

    assert text in str(raised.value)
    assert raised.value.http_status == 400


def test_v19_the_package_refreshes(platform):
    token = exchange(platform.sdk(), platform.code())

    again = platform.sdk().oauth.token(
        params={"grant_type": "refresh_token", "refresh_token": token.refresh_token}
    )

    assert again.access_token != token.access_token


def test_v19_the_package_raises_invalid_scope_when_a_refresh_asks_for_more(platform):
    token = exchange(platform.sdk(), platform.code(scope="read_only"))
    wanted = {
        "grant_type": "refresh_token",
        "refresh_token": token.refresh_token,
        "scope": "read_write",
    }

    with pytest.raises(oauth_error.InvalidScopeError):
        platform.sdk().oauth.token(params=wanted)


def test_v20_the_package_deauthorizes_and_is_refused_the_second_time(platform):
    client, client_id = platform.sdk(), platform.test.client_id
    account_id = exchange(client, platform.code()).stripe_user_id

    first = deauthorize(client, account_id, client_id)
    with pytest.raises(oauth_error.InvalidClientError, match="is not connected to stripe account"):
        deauthorize(client, account_id, client_id)

    assert first.stripe_user_id == account_id


def test_v21_the_package_raises_invalid_client_for_a_bad_client_id(platform):
    with pytest.raises(oauth_error.InvalidClientError, match="No such application: 'bogus'"):
        deauthorize(platform.sdk(), "acct_1", "bogus")


def test_v22_the_package_reads_the_account_until_it_is_deauthorized(platform):
    client = platform.sdk()
    account_id = exchange(client, platform.code()).stripe_user_id
    account = client.v1.accounts.retrieve(account_id)
    deauthorize(client, account_id, platform.test.client_id)

    with pytest.raises(stripe.PermissionError) as raised:
        client.v1.accounts.retrieve(account_id)

    assert account.charges_enabled is True
    assert raised.value.error.code == "account_invalid"


def test_the_package_raises_authentication_error_for_a_revoked_token(platform):
    token = exchange(platform.sdk(), platform.code())
    platform.deauthorize()

    with pytest.raises(stripe.AuthenticationError):
        platform.sdk(key=token.access_token).v1.accounts.retrieve(token.stripe_user_id)


def test_v24_the_package_raises_rate_limit_and_api_errors(platform):
    platform.control("faults", {"fault": "429", "times": 1})
    with pytest.raises(stripe.RateLimitError):
        exchange(platform.sdk(), platform.code())

    platform.control("faults", {"fault": "500-before", "times": 1})
    with pytest.raises(stripe.APIError):
        exchange(platform.sdk(), platform.code())


@pytest.fixture
def oauthlib_session(platform, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with OAuth2Session(platform.test.client_id, redirect_uri=CALLBACK, scope="read_write") as it:
        yield it


def test_v9_requests_oauthlib_goes_the_whole_way(platform, oauthlib_session):
    url, state = oauthlib_session.authorization_url(platform.url + "/oauth/authorize")
    page = requests.post(
        url,
        {"account": platform.account.id, "decision": "allow"},
        timeout=10,
        allow_redirects=False,
    )

    token = oauthlib_session.fetch_token(
        platform.url + "/oauth/token",
        code=query_of(page)["code"],
        include_client_id=True,
        client_secret=platform.test.secret_key,
    )

    assert query_of(page)["state"] == state
    assert token["stripe_user_id"] == platform.account.id


def test_v10_requests_oauthlib_with_basic_client_credentials_is_refused(platform, oauthlib_session):
    with pytest.raises(InvalidClientError, match="No such API key: ca_"):
        oauthlib_session.fetch_token(
            platform.url + "/oauth/token",
            code=platform.code(),
            auth=requests.auth.HTTPBasicAuth(platform.test.client_id, platform.test.secret_key),
        )


def test_v15_requests_oauthlib_raises_invalid_grant_for_a_used_code(platform, oauthlib_session):
    code = platform.code()
    platform.exchange(code)

    with pytest.raises(InvalidGrantError, match="has already been used"):
        oauthlib_session.fetch_token(
            platform.url + "/oauth/token",
            code=code,
            include_client_id=True,
            client_secret=platform.test.secret_key,
        )


def authlib_session(platform, method):
    return AuthlibSession(
        platform.test.client_id,
        platform.test.secret_key,
        token_endpoint_auth_method=method,
        redirect_uri=CALLBACK,
    )


def test_v9_authlib_exchanges_a_code_with_the_secret_as_a_field(platform):
    with authlib_session(platform, "client_secret_post") as session:
        token = session.fetch_token(platform.url + "/oauth/token", code=platform.code())

    assert token["stripe_user_id"] == platform.account.id


def test_v10_authlib_with_basic_client_credentials_is_refused(platform):
    with (
        authlib_session(platform, "client_secret_basic") as session,
        pytest.raises(OAuthError, match="No such API key: ca_"),
    ):
        session.fetch_token(platform.url + "/oauth/token", code=platform.code())


def test_v11_authlib_without_a_secret_is_told_how_to_send_one(platform):
    with (
        authlib_session(platform, "none") as session,
        pytest.raises(OAuthError, match="invalid_client") as raised,
    ):
        session.fetch_token(platform.url + "/oauth/token", code=platform.code())

    assert raised.value.description == NO_AUTHENTICATION
