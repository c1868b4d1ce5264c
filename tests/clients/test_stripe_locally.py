"""The client against the local Stripe: what the real one is known to say, and every fault."""

import pytest

from app.clients.stripe import AccountNotConnected
from app.errors import StripeError, StripeRejectedPlatform
from tests.clients.conftest import exchange_failure


@pytest.fixture(name="client")
def _client(make_stripe, stripe):
    return make_stripe(stripe.url, timeout=10)


@pytest.fixture(name="key")
def _key(stripe):
    return stripe.settings["stripe-test-secret-key"]


@pytest.fixture(name="client_id")
def _client_id(stripe):
    return stripe.settings["stripe-test-client-id"]


@pytest.fixture(name="linked")
def _linked(client, stripe, key):
    """An account that was just connected."""
    return client.exchange_code(stripe.code(), secret_key=key, livemode=False)


def test_a_code_connects_the_account(client, stripe, linked):
    assert {linked.account_id} == stripe.connections()
    assert linked.publishable_key.startswith("pk_test_")


def test_a_live_code_connects_in_live_mode(client, stripe):
    code = stripe.code(livemode=True)
    key = stripe.settings["stripe-secret-key"]

    assert client.exchange_code(code, secret_key=key, livemode=True).livemode is True


def test_a_code_that_does_not_exist_is_refused_without_being_told(client, key):
    error = exchange_failure(client, code="ac_CANARY", secret_key=key)

    assert error.code == "stripe-refused"
    assert error.detail == "Authorization code does not exist: …"


def test_a_code_of_the_other_mode_is_a_mode_mismatch(client, stripe):
    key = stripe.settings["stripe-secret-key"]
    error = exchange_failure(client, code=stripe.code(), secret_key=key, livemode=True)

    assert error.code == "stripe-mode-mismatch"


def test_an_unknown_key_is_the_platforms_fault(client, stripe):
    error = exchange_failure(client, code=stripe.code(), secret_key="sk_test_unknown")

    assert error.code == "stripe-rejected-platform"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("hang", "stripe-timeout"),
        ("timeout-after", "stripe-timeout"),
        ("drip", "stripe-timeout"),
        ("500-before", "stripe-unreadable"),
        ("500-after", "stripe-unreadable"),
        ("429", "stripe-unreadable"),
        ("html", "stripe-unreadable"),
        ("empty", "stripe-unreadable"),
        ("truncated", "stripe-unreadable"),
        ("cut-json", "stripe-unreadable"),
        ("no-description", "stripe-refused"),
        ("error-object", "stripe-refused"),
        ("unknown-error", "stripe-refused"),
        ("wrong-types", "stripe-unreadable"),
        ("wrong-livemode", "stripe-mode-mismatch"),
        ("wrong-scope", "stripe-refused"),
        ("no-account", "stripe-unreadable"),
        ("wrong-mode-publishable-key", "stripe-unreadable"),
        ("close-after-request", "stripe-unreadable"),
        ("close-after-commit", "stripe-unreadable"),
        ("flood", "stripe-unreadable"),
        ("endless", "stripe-unreadable"),
        ("redirect", "stripe-unreadable"),
    ],
)
def test_every_fault_has_its_code_and_one_request(make_stripe, stripe, key, fault, code):
    client = make_stripe(stripe.url)
    spent = stripe.code()
    stripe.fault(fault)
    error = exchange_failure(client, code=spent, secret_key=key)

    assert error.code == code
    assert stripe.codes_seen() == [spent]


@pytest.mark.parametrize("fault", ["wrong-livemode", "wrong-scope", "wrong-mode-publishable-key"])
def test_an_account_in_a_refused_answer_is_owed_back(client, stripe, key, fault):
    stripe.fault(fault)
    error = exchange_failure(client, code=stripe.code(), secret_key=key)

    assert {error.granted_account} == stripe.connections()


def test_the_deprecated_fields_are_not_needed(client, stripe, key):
    stripe.fault("four-field")
    granted = client.exchange_code(stripe.code(), secret_key=key, livemode=False)

    assert (granted.access_token, granted.publishable_key) == (None, None)


def test_an_account_is_read_and_then_cut_off_once_and_for_all(client, linked, key, client_id):
    assert client.read_account(linked.account_id, secret_key=key).account_id == linked.account_id

    for _ in range(2):
        client.deauthorize(linked.account_id, client_id=client_id, secret_key=key)

    with pytest.raises(AccountNotConnected):
        client.read_account(linked.account_id, secret_key=key)


def test_nothing_is_cut_off_for_an_application_that_does_not_exist(client, stripe, linked, key):
    with pytest.raises(StripeRejectedPlatform):
        client.deauthorize(linked.account_id, client_id="ca_other", secret_key=key)

    assert {linked.account_id} == stripe.connections()


def test_a_check_finds_the_wrong_key_and_the_wrong_client_id(client, stripe, key, client_id):
    live_id = stripe.settings["stripe-client-id"]
    outcomes = [
        client.check_platform(client_id=one_id, secret_key=one_key).outcome
        for one_id, one_key in [(client_id, key), (live_id, key), (client_id, "sk_test_unknown")]
    ]

    assert outcomes == ["ok", "wrong-client-id", "wrong-key"]


def test_a_check_disconnects_nobody(client, stripe, linked, key, client_id):
    client.check_platform(client_id=client_id, secret_key=key)

    assert {linked.account_id} == stripe.connections()


def test_no_error_tells_what_the_local_stripe_echoes(client, key):
    error = exchange_failure(client, code="no-prefix", secret_key=key)

    assert isinstance(error, StripeError)
    assert "no-prefix" not in f"{error.detail}{error.cause}{error.meta}"
