"""What the calls to Stripe's API send, and that they share one bound."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import stripe as package

from app.clients.stripe import (
    AccountNotConnected,
    StripeConnect,
    account_form,
    payment_intent_form,
)
from app.errors import StripeBusy, StripeRefused, StripeRejectedPlatform, StripeUnreadable
from tests.clients.described import ACCOUNT, CREATED, INTENT, LINK, page

KEY = "sk_test_FAKEkey"
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
FORM = payment_intent_form(1234, "EUR", metadata={"payment": "9"})
DESCRIBED = {**CREATED, "charges_enabled": True}
ON_ACCOUNT = {"account_id": ACCOUNT, "secret_key": KEY}

# Each call, and what answers it.
CALLS: dict[str, tuple[Callable[[StripeConnect], object], object]] = {
    "read_platform_id": (lambda s: s.read_platform_id(secret_key=KEY), CREATED),
    "read_account": (lambda s: s.read_account(ACCOUNT, secret_key=KEY), DESCRIBED),
    "create_account": (
        lambda s: s.create_account(
            account_form("a@b.example", country="DE", metadata={"request": "7"}),
            secret_key=KEY,
            idempotency_key="once",
        ),
        CREATED,
    ),
    "list_accounts": (lambda s: s.list_accounts(secret_key=KEY, since=SINCE), page()),
    "create_account_link": (
        lambda s: s.create_account_link(
            ACCOUNT, return_url="https://we/r", refresh_url="https://we/r?x=1", secret_key=KEY
        ),
        LINK,
    ),
    "create_payment_intent": (
        lambda s: s.create_payment_intent(
            FORM, livemode=False, idempotency_key="once", **ON_ACCOUNT
        ),
        INTENT,
    ),
    "read_payment_intent": (
        lambda s: s.read_payment_intent("pi_1Some", livemode=False, **ON_ACCOUNT),
        INTENT,
    ),
    "cancel_payment_intent": (
        lambda s: s.cancel_payment_intent("pi_1Some", livemode=False, **ON_ACCOUNT),
        {**INTENT, "status": "canceled"},
    ),
    "list_payment_intents": (lambda s: s.list_payment_intents(since=SINCE, **ON_ACCOUNT), page()),
}
BY_A_PLACE_OF_THE_CALLER = {"create_account", "create_account_link", "create_payment_intent"}


@pytest.fixture(name="stripe")
def _stripe(make_stripe, httpserver):
    return make_stripe(httpserver.url_for(""), timeout=10)


@pytest.fixture(name="sent")
def _sent(stripe, httpserver):
    """Make a call, which is answered well, and return its request."""

    def sent(name: str):
        call, body = CALLS[name]
        httpserver.expect_request(re.compile("/v1/.*")).respond_with_json(body)
        call(stripe)
        [(request, _)] = httpserver.log
        return request

    return sent


@pytest.mark.parametrize("name", CALLS)
def test_every_call_says_its_version_and_its_key_in_headers(sent, name):
    request = sent(name)

    assert request.headers["Stripe-Version"] == package.api_version
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in request.url


@pytest.mark.parametrize("name", CALLS)
def test_payments_alone_name_the_account_that_they_are_on(sent, name):
    named = sent(name).headers.get("Stripe-Account")

    assert named == (ACCOUNT if "payment" in name else None)


@pytest.mark.parametrize("name", CALLS)
def test_what_may_be_asked_again_has_its_key(sent, name):
    given = sent(name).headers.get("Idempotency-Key")

    assert given == ("once" if name in ("create_account", "create_payment_intent") else None)


@pytest.mark.parametrize(
    ("name", "method", "path", "form"),
    [
        ("read_platform_id", "GET", "/v1/account", {}),
        ("read_account", "GET", f"/v1/accounts/{ACCOUNT}", {}),
        (
            "create_account",
            "POST",
            "/v1/accounts",
            {
                "type": "standard",
                "email": "a@b.example",
                "country": "DE",
                "metadata[request]": "7",
            },
        ),
        (
            "create_account_link",
            "POST",
            "/v1/account_links",
            {
                "account": ACCOUNT,
                "type": "account_onboarding",
                "return_url": "https://we/r",
                "refresh_url": "https://we/r?x=1",
            },
        ),
        (
            "create_payment_intent",
            "POST",
            "/v1/payment_intents",
            {
                "amount": "1234",
                "currency": "eur",
                "automatic_payment_methods[enabled]": "true",
                "metadata[payment]": "9",
            },
        ),
        ("read_payment_intent", "GET", "/v1/payment_intents/pi_1Some", {}),
        ("cancel_payment_intent", "POST", "/v1/payment_intents/pi_1Some/cancel", {}),
    ],
)
def test_a_call_sends_what_is_asked_for_and_nothing_besides(sent, name, method, path, form):
    request = sent(name)

    assert (request.method, request.full_path) == (method, f"{path}?")
    assert request.form.to_dict() == form


@pytest.mark.parametrize("name", ["list_accounts", "list_payment_intents"])
def test_a_list_is_asked_for_in_pages_of_a_hundred_since_a_moment(sent, name):
    request = sent(name)

    assert request.args.to_dict() == {"limit": "100", "created[gte]": "1793491200"}


def test_the_next_page_begins_after_the_cursor(stripe, httpserver):
    httpserver.expect_request("/v1/accounts").respond_with_json(page())
    stripe.list_accounts(secret_key=KEY, since=SINCE, cursor="acct_2")

    assert httpserver.log[0][0].args["starting_after"] == "acct_2"


def test_a_page_of_a_hundred_big_accounts_is_read(stripe, httpserver):
    big = [{**CREATED, "id": f"acct_{n}", "padding": "x" * 9000} for n in range(100)]
    httpserver.expect_request("/v1/accounts").respond_with_json(page(*big))

    assert len(stripe.list_accounts(secret_key=KEY, since=SINCE).items) == 100


def test_one_account_may_not_be_as_big_as_a_page(stripe, httpserver):
    big = json.dumps({**DESCRIBED, "padding": "x" * 70_000})
    httpserver.expect_request(f"/v1/accounts/{ACCOUNT}").respond_with_data(big)

    with pytest.raises(StripeUnreadable):
        stripe.read_account(ACCOUNT, secret_key=KEY)


def test_a_form_has_what_was_given_alone():
    form = payment_intent_form(5, "usd", metadata={}, description="Äpfel", application_fee_amount=1)

    assert form == {
        "amount": "5",
        "currency": "usd",
        "automatic_payment_methods[enabled]": "true",
        "description": "Äpfel",
        "application_fee_amount": "1",
    }
    assert "country" not in account_form("a@b.example", country=None, metadata={})


@pytest.mark.parametrize("amount", [1.0, "5", None])
def test_an_amount_that_is_no_whole_number_is_never_written_into_a_form(amount):
    with pytest.raises((TypeError, ValueError)):
        payment_intent_form(amount, "usd", metadata={})


@pytest.mark.parametrize("name", sorted(set(CALLS) - BY_A_PLACE_OF_THE_CALLER))
def test_what_nobody_has_kept_a_place_for_takes_one_itself(make_stripe, name):
    stripe = make_stripe("http://127.0.0.1:1", max_in_flight=1)
    with stripe.reserve(), pytest.raises(StripeBusy):
        CALLS[name][0](stripe)


@pytest.mark.parametrize("name", CALLS)
def test_a_key_that_no_header_carries_is_rejected_and_not_sent(
    stripe, httpserver, name, monkeypatch
):
    monkeypatch.setitem(ON_ACCOUNT, "secret_key", "sk_test_a\r\nX: y")
    monkeypatch.setitem(globals(), "KEY", "sk_test_a\r\nX: y")

    with pytest.raises(StripeRejectedPlatform):
        CALLS[name][0](stripe)
    assert httpserver.log == []


@pytest.mark.parametrize("account_id", ["", "..", "acct_1/../2", "acct_1\r\nX: y", "ä"])
def test_a_payment_on_what_cannot_be_an_account_is_not_asked_for(stripe, httpserver, account_id):
    with pytest.raises(AccountNotConnected):
        stripe.list_payment_intents(account_id=account_id, secret_key=KEY, since=SINCE)
    with pytest.raises(AccountNotConnected):
        stripe.create_account_link(
            account_id, return_url="https://we", refresh_url="https://we", secret_key=KEY
        )

    assert httpserver.log == []


@pytest.mark.parametrize("intent_id", ["", "..", "pi_1/../2", "pi_1?a=b"])
def test_what_cannot_be_a_payment_intent_is_not_asked_for(stripe, httpserver, intent_id):
    with pytest.raises(StripeRefused):
        stripe.read_payment_intent(intent_id, livemode=False, **ON_ACCOUNT)
    with pytest.raises(StripeRefused):
        stripe.cancel_payment_intent(intent_id, livemode=False, **ON_ACCOUNT)

    assert httpserver.log == []


def test_a_saved_fault_is_known_by_the_header_that_comes_with_it(stripe, httpserver):
    httpserver.expect_request("/v1/payment_intents").respond_with_json(
        {"error": {"message": "Oops"}}, status=500, headers={"Idempotent-Replayed": "true"}
    )
    with pytest.raises(StripeUnreadable) as caught:
        CALLS["create_payment_intent"][0](stripe)

    assert type(caught.value).__name__ == "SavedFault"
    assert len(httpserver.log) == 1
