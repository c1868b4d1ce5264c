"""Payment intents on a connected account, against the local Stripe: made once, found, canceled."""

from datetime import UTC, datetime, timedelta

import pytest

from app.clients.stripe import AccountNotConnected, SavedFault, payment_intent_form
from app.errors import StripeError, StripeRefused, StripeTimeout, StripeUnreadable

FORM = payment_intent_form(1234, "EUR", metadata={"payment": "9"}, application_fee_amount=34)


@pytest.fixture(name="client")
def _client(make_stripe, stripe):
    return make_stripe(stripe.url, timeout=10)


@pytest.fixture(name="on")
def _on(client, stripe):
    """What says on which account a payment is."""
    key = stripe.settings["stripe-test-secret-key"]
    granted = client.exchange_code(stripe.code(), secret_key=key, livemode=False)
    return {"account_id": granted.account_id, "secret_key": key}


@pytest.fixture(name="create")
def _create(client, on):
    def create(form=FORM, *, by=client):
        return by.create_payment_intent(form, livemode=False, idempotency_key="first", **on)

    return create


@pytest.fixture(name="ours")
def _ours(client, on):
    """The ids of the intents that carry our name."""

    def ours() -> list[str]:
        since = datetime.now(UTC) - timedelta(hours=1)
        page = client.list_payment_intents(since=since, **on)
        return [each.intent_id for each in page.items if each.metadata == {"payment": "9"}]

    return ours


def test_an_intent_is_made_once_however_often_it_is_asked_for(create, ours):
    intents = [create() for _ in range(3)]

    assert {each.intent_id for each in intents} == set(ours())
    assert len({each.client_secret for each in intents}) == 1
    assert (intents[0].amount, intents[0].currency) == (1234, "eur")
    assert intents[0].status == "requires_payment_method"


def test_an_intent_is_read_with_its_secret(client, create, on):
    made = create()

    assert client.read_payment_intent(made.intent_id, livemode=False, **on) == made


def test_an_intent_is_canceled_and_then_cannot_be_again(client, create, on):
    made = create()
    canceled = client.cancel_payment_intent(made.intent_id, livemode=False, **on)
    with pytest.raises(StripeRefused) as caught:
        client.cancel_payment_intent(made.intent_id, livemode=False, **on)

    assert canceled.status == "canceled"
    assert caught.value.meta == {"stripe-error": "payment_intent_unexpected_state"}


def test_an_intent_of_another_account_is_refused(client, create, on, stripe):
    made = create()
    account = stripe.accounts[1]
    stripe.connect(account)
    with pytest.raises(StripeRefused) as caught:
        client.read_payment_intent(made.intent_id, livemode=False, **{**on, "account_id": account})

    assert caught.value.meta == {"stripe-error": "resource_missing"}


def test_an_account_that_was_disconnected_takes_no_payments(create, on, stripe):
    stripe.disconnect(on["account_id"])

    with pytest.raises(AccountNotConnected):
        create()


def test_an_amount_that_is_too_small_is_refused_in_stripes_words(create, ours):
    with pytest.raises(StripeRefused) as caught:
        create({**FORM, "amount": "1", "application_fee_amount": "1"})

    assert caught.value.meta == {"stripe-error": "amount_too_small"}
    assert ours() == []


@pytest.mark.parametrize(
    ("fault", "kind", "made"),
    [
        ("timeout-after", StripeTimeout, 1),
        ("close-after-commit", StripeUnreadable, 1),
        ("500-after", StripeUnreadable, 1),
        ("500-before", StripeUnreadable, 0),
        ("429", StripeUnreadable, 0),
    ],
)
def test_after_a_fault_the_list_tells_and_the_same_key_brings_the_one_intent(
    make_stripe, stripe, create, ours, fault, kind, made
):
    stripe.fault(fault, on="create-payment-intent", times=1)
    with pytest.raises(StripeError) as caught:
        create(by=make_stripe(stripe.url, timeout=2))

    assert type(caught.value) is kind
    assert len(ours()) == made
    assert [create().intent_id] == ours()


@pytest.mark.parametrize(("fault", "made"), [("500-saved-before", 0), ("500-saved-after", 1)])
def test_a_saved_fault_is_told_and_the_list_tells_whether_there_is_one(
    stripe, create, ours, fault, made
):
    stripe.fault(fault, on="create-payment-intent", times=1)
    with pytest.raises(StripeUnreadable):
        create()

    with pytest.raises(SavedFault):
        create()
    assert len(ours()) == made
