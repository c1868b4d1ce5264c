"""Proof of fidelity: the public `stripe` package at the calls of onboarding and payments."""

import pytest
import stripe

from tests.devtools.conftest import fail

RETURN = {"return_url": "http://127.0.0.1:5000/back", "refresh_url": "http://127.0.0.1:5000/again"}
ACCOUNT = {"type": "standard", "email": "a@example.org", "country": "AT", "metadata": {"row": "7"}}
INTENT = {
    "amount": 1050,
    "currency": "eur",
    "application_fee_amount": 50,
    "metadata": {"order": "7"},
    "automatic_payment_methods": {"enabled": True},
}


@pytest.fixture
def client(platform):
    return platform.sdk()


@pytest.fixture
def on_account(platform, client):
    """The options that charge on a connected account."""
    account_id = platform.exchange(platform.code()).json()["stripe_user_id"]
    return {"stripe_account": account_id}


@pytest.fixture
def intent(client, on_account):
    return client.v1.payment_intents.create(INTENT, on_account)


def confirm(client, intent, on_account, method="pm_card_visa"):
    wanted = {"payment_method": method, "return_url": "https://shop.example/done"}
    return client.v1.payment_intents.confirm(intent.id, wanted, on_account)


def test_the_package_creates_an_account_and_reads_it(client):
    made = client.v1.accounts.create(ACCOUNT)
    read = client.v1.accounts.retrieve(made.id)

    assert read.details_submitted is False
    assert read.metadata["row"] == "7"
    assert (read.country, read.email, read.type) == ("AT", "a@example.org", "standard")
    assert read.last_response is None or read.last_response.code == 200


def test_the_package_reads_the_platforms_own_account(platform, client):
    assert client.v1.accounts.retrieve_current().id == platform.test.owner


def test_the_package_makes_an_account_link(client):
    account = client.v1.accounts.create(ACCOUNT)

    link = client.v1.account_links.create(
        {"account": account.id, "type": "account_onboarding", **RETURN}
    )

    assert link.expires_at - link.created == 300
    assert account.id in link.url


def test_the_package_pages_through_all_accounts(client):
    made = [client.v1.accounts.create(ACCOUNT).id for _ in range(5)]

    listed = [each.id for each in client.v1.accounts.list({"limit": 2}).auto_paging_iter()]

    assert listed == made[::-1]


def test_the_package_pages_by_the_time_of_creation(client, clock):
    client.v1.accounts.create(ACCOUNT)
    clock.forward(10)
    newer = client.v1.accounts.create(ACCOUNT)

    listed = client.v1.accounts.list({"created": {"gte": newer.created}, "limit": 100})

    assert [each.id for each in listed.auto_paging_iter()] == [newer.id]


def test_the_package_gets_the_same_account_for_the_same_key(client):
    options = {"idempotency_key": "row-7"}

    first = client.v1.accounts.create(ACCOUNT, options)
    second = client.v1.accounts.create(ACCOUNT, options)

    assert first.id == second.id
    assert second.last_response.headers["Idempotent-Replayed"] == "true"


def test_the_package_raises_idempotency_error_for_other_parameters(client):
    options = {"idempotency_key": "row-7"}
    client.v1.accounts.create(ACCOUNT, options)

    with pytest.raises(stripe.IdempotencyError) as raised:
        client.v1.accounts.create({**ACCOUNT, "country": "DE"}, options)

    assert raised.value.http_status == 400


def test_the_package_raises_api_error_for_a_key_in_use(platform, client):
    """It has no class of its own for this 409."""
    platform.control("faults", {"fault": "slow", "seconds": 60, "times": 1})
    waiting = stripe.StripeClient(
        platform.test.secret_key,
        base_addresses={"api": platform.url},
        http_client=stripe.RequestsClient(timeout=0.5),
        max_network_retries=0,
    )
    options = {"idempotency_key": "row-7"}
    with pytest.raises(stripe.APIConnectionError):
        waiting.v1.accounts.create(ACCOUNT, options)

    with pytest.raises(stripe.APIError) as raised:
        client.v1.accounts.create(ACCOUNT, options)

    assert raised.value.http_status == 409
    assert raised.value.error.code == "idempotency_key_in_use"


def test_the_package_retries_a_lost_answer_without_a_second_account(platform):
    client = stripe.StripeClient(
        platform.test.secret_key,
        base_addresses={"api": platform.url, "connect": platform.url},
        max_network_retries=2,
    )
    fail(platform, "close-after-commit", on="create-account", times=1)

    made = client.v1.accounts.create(ACCOUNT)

    assert [each.id for each in client.v1.accounts.list().data] == [made.id]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"country": "UK"}, "country_code_invalid"),
        ({"email": "nobody"}, "email_invalid"),
        ({"made_up": "1"}, "parameter_unknown"),
    ],
)
def test_the_package_raises_invalid_request_for_a_wrong_parameter(client, params, code):
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.accounts.create({**ACCOUNT, **params})

    assert raised.value.code == code
    assert raised.value.param == next(iter(params))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("key-expired", stripe.AuthenticationError),
        ("key-invalid", stripe.AuthenticationError),
        ("key-restricted", stripe.PermissionError),
        ("not-a-platform", stripe.PermissionError),
        ("429", stripe.RateLimitError),
        ("500-saved-before", stripe.APIError),
    ],
)
def test_the_package_raises_the_error_that_fits_the_fault(platform, client, fault, error):
    fail(platform, fault)

    with pytest.raises(error):
        client.v1.accounts.create(ACCOUNT)


def test_the_package_shows_a_deleted_account_as_deleted(platform, client, on_account):
    fail(platform, "account-deleted")

    assert client.v1.accounts.retrieve(on_account["stripe_account"]).deleted is True


def test_the_package_makes_reads_and_lists_intents(client, on_account, intent):
    more = [client.v1.payment_intents.create(INTENT, on_account).id for _ in range(3)]

    read = client.v1.payment_intents.retrieve(intent.id, None, on_account)
    listed = client.v1.payment_intents.list({"limit": 2}, on_account).auto_paging_iter()

    assert (read.amount, read.currency, read.metadata["order"]) == (1050, "eur", "7")
    assert [each.id for each in listed] == [*more[::-1], intent.id]


def test_the_package_confirms_and_cancels(client, on_account, intent):
    other = client.v1.payment_intents.create(INTENT, on_account)

    paid = confirm(client, intent, on_account)
    canceled = client.v1.payment_intents.cancel(other.id, None, on_account)

    assert (paid.status, canceled.status) == ("succeeded", "canceled")


def test_the_package_raises_card_error_for_a_declined_card(client, on_account, intent):
    with pytest.raises(stripe.CardError) as raised:
        confirm(client, intent, on_account, "pm_card_chargeDeclined")

    assert (raised.value.http_status, raised.value.code) == (402, "card_declined")
    assert raised.value.error.decline_code == "generic_decline"
    assert raised.value.error.payment_intent["id"] == intent.id


def test_the_package_raises_invalid_request_where_a_paid_intent_is_canceled(
    client, on_account, intent
):
    confirm(client, intent, on_account)

    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.payment_intents.cancel(intent.id, None, on_account)

    assert (raised.value.http_status, raised.value.code) == (400, "payment_intent_unexpected_state")


def test_the_package_raises_invalid_request_for_an_intent_of_another_account(client, intent):
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.payment_intents.retrieve(intent.id)

    assert (raised.value.http_status, raised.value.code) == (404, "resource_missing")


def test_the_package_raises_permission_error_once_the_account_is_disconnected(
    platform, client, on_account
):
    platform.deauthorize(on_account["stripe_account"])

    with pytest.raises(stripe.PermissionError) as raised:
        client.v1.payment_intents.create(INTENT, on_account)

    assert raised.value.error.code == "account_invalid"


def test_the_version_that_the_package_pins_is_in_the_log(platform, client, on_account):
    client.v1.payment_intents.create(INTENT, {**on_account, "idempotency_key": "order-7"})

    entry = platform.get("/_control/requests").json()["requests"][-1]

    assert entry["stripe_version"] == stripe.api_version
    assert entry["stripe_account"] == on_account["stripe_account"]
    assert entry["idempotency_key"] == "order-7"
