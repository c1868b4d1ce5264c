"""What an exchange sends, and what each of Stripe's answers to it means."""

import json

import pytest

from app.errors import (
    StripeError,
    StripeModeMismatch,
    StripeRefused,
    StripeRejectedPlatform,
    StripeUnreadable,
)
from tests.clients.conftest import exchange_failure

CODE = "ac_Code123"
KEY = "sk_test_FAKEkey"
GRANT = {
    "access_token": "sk_test_granted",
    "livemode": False,
    "refresh_token": "rt_granted",
    "token_type": "bearer",
    "stripe_publishable_key": "pk_test_granted",
    "stripe_user_id": "acct_1Granted",
    "scope": "read_write",
}
LIVE = {"livemode": True, "stripe_publishable_key": "pk_live_granted"}


@pytest.fixture(name="stripe")
def _stripe(make_stripe, httpserver):
    return make_stripe(httpserver.url_for(""), timeout=10)


@pytest.fixture(name="answer")
def _answer(httpserver):
    """Make Stripe answer every exchange so."""

    def answer(body: object, status: int = 200) -> None:
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        httpserver.expect_request("/oauth/token", method="POST").respond_with_data(
            data, status=status, content_type="application/json"
        )

    return answer


def grant(**changes: object) -> dict[str, object]:
    """A good answer with *changes*; what is changed to `...` is left out."""
    return {name: value for name, value in {**GRANT, **changes}.items() if value is not ...}


def exchange(stripe, *, code=CODE, livemode=False):
    with stripe.reserve():
        return stripe.exchange_code(code, secret_key=KEY, livemode=livemode)


def failure(stripe, **options) -> StripeError:
    return exchange_failure(stripe, code=CODE, secret_key=KEY, **options)


def test_a_code_is_sent_in_one_form_and_nothing_is_sent_besides(stripe, answer, httpserver):
    answer(GRANT)
    exchange(stripe)

    [(request, _)] = httpserver.log
    form = {"client_secret": KEY, "code": CODE, "grant_type": "authorization_code"}
    assert request.form.to_dict() == form
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["Connection"] == "close"
    assert "Authorization" not in request.headers
    assert "python" not in request.headers["User-Agent"].lower()


def test_odd_characters_arrive_as_they_are(stripe, answer, httpserver):
    answer(GRANT)
    exchange(stripe, code="ac_&=+%#\"<'")

    assert httpserver.log[0][0].form["code"] == "ac_&=+%#\"<'"


def test_what_stripe_granted_is_returned(stripe, answer):
    answer(GRANT)
    granted = exchange(stripe)

    assert granted.account_id == "acct_1Granted"
    assert granted.livemode is False
    assert granted.scope == "read_write"
    assert granted.access_token == "sk_test_granted"
    assert granted.refresh_token == "rt_granted"
    assert granted.publishable_key == "pk_test_granted"


def test_tokens_are_not_in_the_repr_of_what_was_granted(stripe, answer):
    answer(GRANT)
    shown = repr(exchange(stripe))

    assert "sk_test_granted" not in shown
    assert "rt_granted" not in shown


@pytest.mark.parametrize("missing", [..., None, ""], ids=["absent", "null", "empty"])
def test_the_three_deprecated_fields_may_be_missing(stripe, answer, missing):
    answer(grant(access_token=missing, refresh_token=missing, stripe_publishable_key=missing))
    granted = exchange(stripe)

    assert granted.account_id == "acct_1Granted"
    assert (granted.access_token, granted.refresh_token, granted.publishable_key) == (None,) * 3


def test_a_live_grant_is_good_in_live_mode(stripe, answer):
    answer(grant(**LIVE))

    assert exchange(stripe, livemode=True).livemode is True


def test_a_refusal_is_told_in_stripes_words_without_the_code(stripe, answer):
    description = f"Authorization code does not exist: {CODE}"
    answer({"error": "invalid_grant", "error_description": description}, 400)
    error = failure(stripe)

    assert isinstance(error, StripeRefused)
    assert error.detail == "Authorization code does not exist: …"
    assert error.meta == {"stripe-error": "invalid_grant"}
    assert error.field == "code"
    assert error.sent


def test_a_code_of_any_form_is_hidden(stripe, answer):
    answer({"error": "invalid_grant", "error_description": "What is 'my-code'?"}, 400)
    error = exchange_failure(stripe, code="my-code", secret_key=KEY)

    assert error.detail == "What is '…'?"


def test_a_refusal_cannot_bring_controls_secrets_or_a_novel(stripe, answer):
    description = "a\x00\x1b[31m\u202e\nb 'sk_live_CANARY' " + "x" * 1000
    answer({"error": "invalid\ngrant", "error_description": description}, 400)
    error = failure(stripe)

    assert error.detail.startswith("a[31mb 'sk_…' xxx")
    assert len(error.detail) == 300
    assert error.meta == {"stripe-error": "invalidgrant"}


@pytest.mark.parametrize(
    "body",
    [
        {"error": "invalid_grant"},
        {"error": "invalid_grant", "error_description": None},
        {"error": "invalid_grant", "error_description": ""},
        {"error": "invalid_grant", "error_description": "\x00\x07"},
        {"error": "invalid_grant", "error_description": ["a", "list"]},
        {"error": {"type": "invalid_grant", "message": "No application matches"}},
    ],
)
def test_a_refusal_without_words_is_told_in_ours(stripe, answer, body):
    answer(body, 400)
    error = failure(stripe)

    assert isinstance(error, StripeRefused)
    assert error.detail.endswith("please connect with Stripe again.")
    assert error.meta == {"stripe-error": "invalid_grant"}


def test_a_refusal_that_has_words_alone_is_told(stripe, answer):
    answer({"error_description": "This is not possible."}, 400)

    assert failure(stripe).detail == "This is not possible."


def test_a_code_of_another_platform_is_refused(stripe, answer):
    words = "Authorization code provided does not belong to you"
    answer({"error": "invalid_grant", "error_description": words}, 400)
    error = failure(stripe)

    assert isinstance(error, StripeRefused)
    assert error.detail == words


@pytest.mark.parametrize(
    "words",
    [
        "Passed in livemode API key but authorization code only supports returning test keys",
        "Passed in testmode API key but authorization code only supports returning live keys",
        "This code was created in live mode, but a test mode key was used",
    ],
)
def test_words_about_mixed_modes_are_a_mode_mismatch(stripe, answer, words):
    answer({"error": "invalid_grant", "error_description": words}, 400)
    error = failure(stripe)

    assert isinstance(error, StripeModeMismatch)
    assert "live mode" in error.detail
    assert "test mode" in error.detail
    assert error.field == "code"


@pytest.mark.parametrize("livemode", [True, False])
def test_a_grant_of_the_other_mode_is_refused_and_owed_back(stripe, answer, livemode):
    answer(grant(**({} if livemode else LIVE)))
    error = failure(stripe, livemode=livemode)

    assert isinstance(error, StripeModeMismatch)
    assert error.granted_account == "acct_1Granted"


@pytest.mark.parametrize("scope", ["read_only", "", "read_write read_only", None, ...])
def test_a_grant_without_full_access_is_refused_and_owed_back(stripe, answer, scope):
    answer(grant(scope=scope))
    error = failure(stripe)

    assert isinstance(error, StripeRefused)
    assert error.granted_account == "acct_1Granted"


@pytest.mark.parametrize(
    "body",
    [
        {"error": "invalid_client", "error_description": "No such API key: sk_test_FAKEkey"},
        {"error": {"type": "invalid_request_error"}},
        "<html>who are you?</html>",
    ],
)
def test_a_key_that_stripe_rejects_is_told_to_the_organizer_without_the_key(stripe, answer, body):
    answer(body, 401)
    error = failure(stripe)

    assert isinstance(error, StripeRejectedPlatform)
    assert "administrator" in error.detail
    assert "FAKEkey" not in f"{error.detail} {error.cause}"


def test_the_cause_of_a_rejection_is_there_for_the_log(stripe, answer):
    answer({"error": "invalid_client", "error_description": "No such API key: sk_test_x"}, 401)

    assert failure(stripe).cause == "HTTP 401 invalid_client: No such API key: sk_…"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 201, 204, 302])
def test_a_good_body_with_a_bad_status_is_not_believed(stripe, answer, status):
    answer(GRANT, status)
    error = failure(stripe)

    assert isinstance(error, StripeUnreadable)
    assert "connect with Stripe again" in error.detail
    assert error.granted_account == (None if status == 204 else "acct_1Granted")


@pytest.mark.parametrize("status", [201, 302, 429, 500, 503])
@pytest.mark.parametrize("error", ["invalid_grant", {"code": "rate_limit", "message": "Slow."}])
def test_words_with_a_status_that_does_not_judge_the_code_are_no_refusal(
    stripe, answer, status, error
):
    answer({"error": error, "error_description": "No."}, status)

    assert isinstance(failure(stripe), StripeUnreadable)


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_a_good_body_with_a_refusing_status_is_not_believed(stripe, answer, status):
    answer(GRANT, status)
    error = failure(stripe)

    assert isinstance(error, StripeRefused if status == 403 else StripeUnreadable)
    assert error.granted_account == "acct_1Granted"


@pytest.mark.parametrize("wrong", [True, 7, ["invalid_grant"], "invalid_grant", {"a": "b"}])
def test_a_good_status_with_an_error_in_the_body_is_not_believed(stripe, answer, wrong):
    answer(grant(error=wrong))
    error = failure(stripe)

    assert isinstance(error, StripeRefused | StripeUnreadable)
    assert error.granted_account == "acct_1Granted"


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        '"acct_1Granted"',
        "17",
        "null",
        "true",
        "NaN",
        "",
        "[" * 60000,
        '{"a":' * 10000,
        b"\xff\xfe{}",
        b'{"stripe_user_id": "acct_\xff"}',
        json.dumps(GRANT)[:-1] + ', "amount": NaN}',
        json.dumps(GRANT)[:-1] + ', "amount": -Infinity}',
        json.dumps(GRANT)[:-1] + ', "amount": ' + "9" * 5000 + "}",
        json.dumps(GRANT)[:-1] + ', "livemode": false}',
        json.dumps(GRANT) * 2,
        "<html></html>",
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_body_that_does_not_mean_one_thing_is_unreadable(stripe, answer, body, status):
    answer(body, status)

    assert isinstance(failure(stripe), StripeUnreadable)


@pytest.mark.parametrize(
    "changes",
    [
        *({"stripe_user_id": bad} for bad in (..., None, "", 7, [], {}, True, "ca_1", "acct_")),
        *({"stripe_user_id": bad} for bad in ("acct_1\n", "acct_1/..", "acct_ä", "acct_1\x00")),
        {"stripe_user_id": "acct_" + "1" * 65},
        *({"livemode": bad} for bad in (..., None, 0, 1, "false", [])),
        *({"scope": bad} for bad in (7, ["read_write"], {}, True)),
        *({"access_token": bad} for bad in (7, [], {}, False, "a b", "a\x00", "ä", "x" * 501)),
        *({"refresh_token": bad} for bad in (7, "\ud800", "rt_1\n")),
        *({"stripe_publishable_key": bad} for bad in (7, "pk_live_other", "sk_test_secret", " ")),
    ],
)
def test_a_grant_with_a_value_that_cannot_be_is_unreadable(stripe, answer, changes):
    answer(grant(**changes))
    error = failure(stripe)

    assert isinstance(error, StripeUnreadable)
    assert error.field == "code"


def test_an_account_is_owed_back_even_if_the_body_is_no_json(stripe, answer):
    answer(json.dumps(GRANT)[:-1] + ', "amount": NaN}')

    assert failure(stripe).granted_account == "acct_1Granted"


def test_no_account_is_owed_back_if_the_answer_names_two(stripe, answer):
    answer(json.dumps(GRANT)[:-1] + ', "stripe_user_id": "acct_1Other"}')

    assert failure(stripe).granted_account is None


def test_words_of_stripe_cannot_name_an_account_to_be_given_back(stripe, answer):
    words = 'No: "stripe_user_id": "acct_1Victim"'
    answer({"error": "invalid_grant", "error_description": words}, 400)

    assert failure(stripe).granted_account is None


@pytest.mark.parametrize("status", [500, 409, 429, 503])
def test_a_code_is_never_sent_again(stripe, answer, httpserver, status):
    answer("{}", status)
    failure(stripe)

    assert len(httpserver.log) == 1
