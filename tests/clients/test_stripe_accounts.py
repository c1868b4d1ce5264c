"""Cutting an account off, reading one, and checking the platform's own keys."""

import pytest

from app.clients.stripe import (
    AccountDeleted,
    AccountNotConnected,
    AccountUnknown,
    KeyLacksPermission,
)
from app.errors import (
    StripeBusy,
    StripeError,
    StripeRefused,
    StripeRejectedPlatform,
    StripeTimeout,
    StripeUnreachable,
    StripeUnreadable,
)
from tests.clients.raw_server import hanging, serving

ACCOUNT = "acct_1Some"
KEY = "sk_test_FAKEkey"
DESCRIBED = {
    "id": ACCOUNT,
    "object": "account",
    "charges_enabled": True,
    "payouts_enabled": True,
    "details_submitted": True,
    "country": "DE",
    "default_currency": "eur",
    "business_profile": {"name": "Fête\x00 \u202ede la Musique"},
    "settings": {"dashboard": {"display_name": "fete"}},
    "requirements": {"disabled_reason": None, "currently_due": []},
}
GONE = {
    "error": "invalid_client",
    "error_description": "This application is not connected to stripe account"
    f" {ACCOUNT}, or that account does not exist.",
}
NO_APPLICATION = {
    "error": "invalid_client",
    "error_description": "No such application: 'ca_other'",
}
NO_SUCH_NAME = "No such application: 'not connected to stripe account'"
NO_ACCESS = {
    "error": {
        "code": "account_invalid",
        "type": "invalid_request_error",
        "message": "The provided key 'sk_test_****uCJm' does not have access to account …",
    }
}
WITHOUT_PERMISSION = {
    "error": {
        "type": "invalid_request_error",
        "message": "The provided key 'rk_test_*****' does not have the required permissions",
    }
}
NO_KEY = {"error": "invalid_client", "error_description": "No such API key: sk_test_FAKEkey"}


@pytest.fixture(name="stripe")
def _stripe(make_stripe, httpserver):
    return make_stripe(httpserver.url_for(""), timeout=10)


@pytest.fixture(name="answer")
def _answer(httpserver):
    """Make Stripe answer whatever it is asked so."""

    def answer(body: object, status: int = 200) -> None:
        httpserver.expect_request("/oauth/deauthorize", method="POST").respond_with_json(
            body, status
        )
        httpserver.expect_request(f"/v1/accounts/{ACCOUNT}", method="GET").respond_with_json(
            body, status
        )

    return answer


def deauthorize(stripe) -> None:
    stripe.deauthorize(ACCOUNT, client_id="ca_1", secret_key=KEY)


def test_an_account_is_cut_off_with_the_key_in_a_header(stripe, answer, httpserver):
    answer({"stripe_user_id": ACCOUNT})
    deauthorize(stripe)

    [(request, _)] = httpserver.log
    assert request.form.to_dict() == {"client_id": "ca_1", "stripe_user_id": ACCOUNT}
    assert request.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("words", [GONE["error_description"], f"No such user: {ACCOUNT}"])
def test_an_account_that_is_not_connected_counts_as_cut_off(stripe, answer, words):
    answer({"error": "invalid_client", "error_description": words}, 401)

    assert deauthorize(stripe) is None


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (NO_APPLICATION, 401, StripeRejectedPlatform),
        (NO_KEY, 401, StripeRejectedPlatform),
        ({**NO_APPLICATION, "error_description": NO_SUCH_NAME}, 401, StripeRejectedPlatform),
        ({"error": "invalid_client", "error_description": ""}, 401, StripeRejectedPlatform),
        ({"error": "invalid_request", "error_description": "Not like this."}, 400, StripeRefused),
        ({"error": "invalid_request"}, 200, StripeRefused),
        ({"stripe_user_id": "acct_1Other"}, 200, StripeUnreadable),
        ({"stripe_user_id": ACCOUNT}, 400, StripeUnreadable),
        ({"stripe_user_id": ACCOUNT}, 500, StripeUnreadable),
        ({}, 200, StripeUnreadable),
        ([ACCOUNT], 200, StripeUnreadable),
        (GONE, 200, StripeRefused),
        (GONE, 500, StripeUnreadable),
        ({}, 429, StripeUnreadable),
    ],
)
def test_an_account_does_not_count_as_cut_off_otherwise(stripe, answer, body, status, kind):
    answer(body, status)
    with pytest.raises(StripeError) as caught:
        deauthorize(stripe)

    assert type(caught.value) is kind
    assert caught.value.granted_account is None
    assert caught.value.field is None


def test_an_account_is_described_in_plain_text(stripe, answer):
    answer(DESCRIBED)
    snapshot = stripe.read_account(ACCOUNT, secret_key=KEY)

    assert snapshot.account_id == ACCOUNT
    assert snapshot.status == "active"
    assert snapshot.display_name == "Fête de la Musique"
    assert (snapshot.charges_enabled, snapshot.payouts_enabled) == (True, True)
    assert (snapshot.details_submitted, snapshot.country) == (True, "DE")
    assert snapshot.default_currency == "eur"


def test_an_account_is_read_with_the_key_in_a_header(stripe, answer, httpserver):
    answer(DESCRIBED)
    stripe.read_account(ACCOUNT, secret_key=KEY)

    [(request, _)] = httpserver.log
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.get_data() == b""


@pytest.mark.parametrize(
    "changes",
    [{"charges_enabled": False}, {"requirements": {"disabled_reason": "requirements.past_due"}}],
)
def test_an_account_that_cannot_take_payments_is_restricted(stripe, answer, changes):
    answer({**DESCRIBED, **changes})

    assert stripe.read_account(ACCOUNT, secret_key=KEY).status == "restricted"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"business_profile": None}, "fete"),
        ({"business_profile": {"name": None}}, "fete"),
        ({"business_profile": [], "settings": "odd"}, None),
        ({"business_profile": {"name": 7}, "settings": {"dashboard": None}}, None),
    ],
)
def test_an_account_has_the_name_that_there_is(stripe, answer, changes, name):
    answer({**DESCRIBED, **changes})

    assert stripe.read_account(ACCOUNT, secret_key=KEY).display_name == name


def test_an_account_without_access_is_not_connected(stripe, answer):
    answer(NO_ACCESS, 403)

    with pytest.raises(AccountNotConnected):
        stripe.read_account(ACCOUNT, secret_key=KEY)


@pytest.mark.parametrize("account_id", ["", "..", "acct_1/../2", "acct_1?a=b", "a\r\nb: c", "ä"])
def test_what_cannot_be_an_account_is_not_connected_and_not_asked_for(
    stripe, httpserver, account_id
):
    with pytest.raises(AccountNotConnected):
        stripe.read_account(account_id, secret_key=KEY)

    assert httpserver.log == []


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (WITHOUT_PERMISSION, 403, KeyLacksPermission),
        ("<html>Forbidden</html>", 403, KeyLacksPermission),
        ({"error": {"message": "Invalid API Key provided"}}, 401, StripeRejectedPlatform),
        (NO_ACCESS, 401, StripeRejectedPlatform),
        (NO_ACCESS, 404, AccountUnknown),
        ("<html>Not found</html>", 404, AccountUnknown),
        ({"id": ACCOUNT, "object": "account", "deleted": True}, 200, AccountDeleted),
        ({"id": "acct_1Other", "object": "account", "deleted": True}, 200, StripeUnreadable),
        ({"id": ACCOUNT, "object": "account", "deleted": "true"}, 200, StripeUnreadable),
        (NO_ACCESS, 200, StripeRefused),
        (NO_ACCESS, 500, StripeUnreadable),
        (DESCRIBED, 404, AccountUnknown),
        ({**DESCRIBED, "id": "acct_1Other"}, 200, StripeUnreadable),
        ({**DESCRIBED, "charges_enabled": "true"}, 200, StripeUnreadable),
        ({"id": ACCOUNT}, 200, StripeUnreadable),
        ([], 200, StripeUnreadable),
    ],
)
def test_nothing_is_concluded_from_other_answers_about_an_account(
    stripe, answer, body, status, kind
):
    answer(body, status)
    with pytest.raises(StripeError) as caught:
        stripe.read_account(ACCOUNT, secret_key=KEY)

    assert type(caught.value) is kind


def test_a_reading_is_not_repeated_though_stripe_asks_for_it(stripe, httpserver):
    httpserver.expect_request(f"/v1/accounts/{ACCOUNT}").respond_with_data(
        "", status=503, headers={"Retry-After": "0"}
    )
    with pytest.raises(StripeUnreadable):
        stripe.read_account(ACCOUNT, secret_key=KEY)

    assert len(httpserver.log) == 1


def test_an_account_can_be_read_with_less_time(make_stripe):
    with serving(hanging) as server:
        stripe = make_stripe(server.url, timeout=60)

        with pytest.raises(StripeTimeout):
            stripe.read_account(ACCOUNT, secret_key=KEY, timeout=0.2)


def test_cutting_off_and_reading_take_a_slot(make_stripe):
    stripe = make_stripe("http://127.0.0.1:1", max_in_flight=1)
    with stripe.reserve():
        with pytest.raises(StripeBusy):
            deauthorize(stripe)
        with pytest.raises(StripeBusy):
            stripe.read_account(ACCOUNT, secret_key=KEY)
        busy = stripe.check_platform(client_id="ca_1", secret_key=KEY)
    with pytest.raises(StripeUnreachable):
        deauthorize(stripe)

    assert busy.outcome == "unreachable"


@pytest.mark.parametrize(
    ("body", "status", "outcome"),
    [
        (GONE, 401, "ok"),
        (NO_APPLICATION, 401, "wrong-client-id"),
        (NO_KEY, 401, "wrong-key"),
        ({"error": {"message": "Invalid API Key provided: sk_test_x"}}, 401, "wrong-key"),
        ({"error": "invalid_client", "error_description": "Who?"}, 401, "wrong-key"),
        (WITHOUT_PERMISSION, 403, "wrong-key"),
        ({"error": "invalid_request", "error_description": "No client_id"}, 400, "wrong-client-id"),
        ({"error": "invalid_request", "error_description": "Odd."}, 400, "unreachable"),
        ({"stripe_user_id": ACCOUNT}, 200, "unreachable"),
        (GONE, 500, "unreachable"),
        ({}, 429, "unreachable"),
        ([], 401, "wrong-key"),
    ],
)
def test_a_check_says_what_stripe_complains_about(stripe, answer, body, status, outcome):
    answer(body, status)
    check = stripe.check_platform(client_id="ca_1", secret_key=KEY)

    assert check.outcome == outcome
    assert check.ok is (outcome == "ok")
    assert "FAKEkey" not in repr(check)


def test_a_check_asks_for_an_account_that_nobody_has(stripe, answer, httpserver):
    answer(GONE, 401)
    for _ in range(2):
        stripe.check_platform(client_id="ca_1", secret_key=KEY)

    first, second = [request.form["stripe_user_id"] for request, _ in httpserver.log]
    assert first != second
    assert len(first) > 40
    assert first.startswith("acct_")


def test_a_check_of_a_stripe_that_is_away_says_so(make_stripe):
    check = make_stripe("http://127.0.0.1:1").check_platform(client_id="ca_1", secret_key=KEY)

    assert check.outcome == "unreachable"


@pytest.mark.parametrize("key", ["", "sk_test_a b", "sk_test_a\r\nX-Evil: 1", "clé", "k" * 501])
def test_a_key_that_no_header_carries_is_rejected_and_not_sent(stripe, httpserver, key):
    with pytest.raises(StripeRejectedPlatform):
        stripe.deauthorize(ACCOUNT, client_id="ca_1", secret_key=key)
    with pytest.raises(StripeRejectedPlatform):
        stripe.read_account(ACCOUNT, secret_key=key)

    assert stripe.check_platform(client_id="ca_1", secret_key=key).outcome == "wrong-key"
    assert httpserver.log == []
