"""Payments on the linked account: one payment intent at Stripe per event and key, ever."""

import pytest

from app.db.transactions import transaction
from app.models import PaymentIntent, StripeAuthorization
from tests.callers import assert_error, document
from tests.databases import on_both, on_sqlite
from tests.simultaneous import at_once

pytestmark = on_sqlite

CREATE = "/v1/payment_intents"


@pytest.fixture(name="account")
def _account(stripe):
    return stripe.accounts[0]


@pytest.fixture(name="link")
def _link(make, event, stripe, platform, account):
    stripe.connect(account)
    return make.link(event, stripe_user_id=account)


@pytest.fixture(name="pay")
def _pay(client, owner, event, link):
    """Asks for a payment of the event, or of another one, as its owner."""

    caller, event_id = client.as_(owner), event.id

    def pay(key="order-1", amount=1999, *, of=None, **attributes):
        linkage = {"event": {"type": "event", "id": str(of.id if of else event_id)}}
        given = {"amount": amount, "idempotency_key": key, **attributes}
        body = document("payment-intent", None, linkage, **given)
        return caller.post("/v1/payment-intents", body)

    return pay


def intents_at(stripe, account):
    answer = stripe._http.get(f"{stripe.url}/_control/state", timeout=10).json()
    return [each for each in answer["payment_intents"] if each["account_id"] == account]


@on_both
def test_a_payment_goes_to_the_account_of_the_event(pay, stripe, account, platform):
    response = pay(amount=1999, description="Two tickets", metadata={"order": "A17"})

    assert response.status_code == 201
    shown = response.json["data"]["attributes"]
    assert (shown["amount"], shown["currency"], shown["livemode"]) == (1999, "EUR", False)
    assert shown["stripe-account"] == account
    assert shown["stripe-publishable-key"] == platform.stripe_test_publishable_key
    assert shown["stripe-payment-intent-id"].startswith("pi_")
    assert shown["client-secret"].startswith(shown["stripe-payment-intent-id"])
    (asked,) = stripe.asked(CREATE)
    assert asked["headers"]["Stripe-Account"] == account
    assert asked["form"]["amount"] == "1999"
    assert asked["form"]["automatic_payment_methods[enabled]"] == "true"
    assert asked["form"]["metadata[order]"] == "A17"


def test_a_payment_names_its_event(pay, event, client, owner):
    made = pay().json["data"]

    read = client.as_(owner).get(made["links"]["self"]).json["data"]
    expected = {
        "links": {"related": f"/v1/events/{event.id}"},
        "data": {"type": "event", "id": str(event.id)},
    }
    assert made["relationships"]["event"] == read["relationships"]["event"] == expected


@pytest.mark.parametrize("name", ["amount", "metadata", "application_fee_amount"])
def test_what_is_empty_is_refused_in_our_own_words(pay, name):
    error = assert_error(pay(**{name: None}), 422, "validation")

    assert error["detail"] == "This cannot be empty."


def test_the_same_key_and_body_again_bring_the_same_payment(pay, stripe):
    first = pay()

    again = pay()

    assert (first.status_code, again.status_code) == (201, 200)
    for name in ("stripe-payment-intent-id", "client-secret"):
        assert again.json["data"]["attributes"][name] == first.json["data"]["attributes"][name]
    assert len(stripe.asked(CREATE)) == 1


@pytest.mark.parametrize("changed", [{"amount": 2000}, {"currency": "USD"}, {"description": "x"}])
def test_another_body_under_a_known_key_is_refused(pay, stripe, changed):
    pay()

    assert_error(pay(**changed), 409, "idempotency-conflict")
    assert len(stripe.asked(CREATE)) == 1


def test_one_key_at_two_events_makes_two_payments(pay, make, owner, stripe, account):
    other = make.event(owner)
    make.link(other, stripe_user_id=account)

    assert (pay().status_code, pay(of=other).status_code) == (201, 201)


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"amount": 19.99}, "amount"),
        ({"amount": "1999"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": 100_000_000}, "amount"),
        ({"amount": None}, "amount"),
        ({"currency": "EURO"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "u\u017fd"}, "currency"),
        ({"currency": "SE\u212a"}, "currency"),
        ({"metadata": {"a": "\ud800"}}, "metadata"),
        ({"currency": "€"}, "currency"),
        ({"key": ""}, "idempotency-key"),
        ({"key": "k" * 256}, "idempotency-key"),
        ({"key": "a key"}, "idempotency-key"),
        ({"key": "kéy"}, "idempotency-key"),
        ({"description": "d" * 1001}, "description"),
        ({"metadata": {"a[b]": "c"}}, "metadata"),
        ({"metadata": {"n" * 41: "c"}}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {"a": "v" * 501}}, "metadata"),
        ({"metadata": {str(number): "v" for number in range(21)}}, "metadata"),
        ({"metadata": []}, "metadata"),
        ({"application_fee_amount": 2000}, "application-fee-amount"),
        ({"application_fee_amount": -1}, "application-fee-amount"),
        ({"application_fee_amount": 1.0}, "application-fee-amount"),
    ],
)
def test_what_cannot_be_paid_is_refused_where_it_stands(pay, stripe, attributes, name):
    response = pay(**attributes)

    assert_error(response, 422, "validation", pointer=f"/data/attributes/{name}")
    assert not stripe.asked(CREATE)


def test_without_a_currency_the_events_own_is_charged(pay, make, owner, account, stripe):
    nowhere = make.event(owner, payment_currency=None)
    make.link(nowhere, stripe_user_id=account)

    assert pay().json["data"]["attributes"]["currency"] == "EUR"
    assert_error(pay(of=nowhere), 422, "validation", pointer="/data/attributes/currency")
    assert (
        pay("order-2", of=nowhere, currency="jpy").json["data"]["attributes"]["currency"] == "JPY"
    )


def test_the_platforms_fee_is_sent_unless_it_is_nothing(pay, stripe):
    pay("order-1", application_fee_amount=150)
    pay("order-2", application_fee_amount=0)

    first, second = stripe.asked(CREATE)
    assert first["form"]["application_fee_amount"] == "150"
    assert "application_fee_amount" not in second["form"]


def test_an_event_without_a_link_cannot_be_paid(pay, make, owner, stripe):
    unlinked = make.event(owner)

    assert_error(pay(of=unlinked), 409, "not-linked")
    assert not stripe.asked(CREATE)


def test_an_event_that_stripe_is_switched_off_for_cannot_be_paid(pay, make, owner, account):
    off = make.event(owner, can_pay_by_stripe=False)
    make.link(off, stripe_user_id=account)

    assert_error(pay(of=off), 403, "stripe-disabled")


def test_a_known_key_is_answered_although_the_event_was_unlinked_since(pay, link):
    first = pay()
    with transaction() as session:
        session.delete(session.get(StripeAuthorization, link.id))

    again = pay()

    assert again.status_code == 200
    assert again.json["data"]["id"] == first.json["data"]["id"]


def test_in_live_mode_an_organizer_may_not_create_payments(client, pay, make, stripe, event):
    make.platform(stripe, "production")
    make.link(event, livemode=True, stripe_user_id=stripe.accounts[0])

    assert_error(pay(), 403, "forbidden")
    assert not stripe.asked(CREATE)


def test_a_refusal_is_told_and_remembered(pay, stripe):
    refused = pay(amount=1)  # below Stripe's minimum

    again = pay(amount=1)

    assert_error(refused, 422, "stripe-refused")
    assert_error(again, 422, "stripe-refused")
    assert refused.json["errors"][0]["detail"] == again.json["errors"][0]["detail"]
    assert len(stripe.asked(CREATE)) == 1


@pytest.mark.parametrize("fault", ["500-after", "close-after-commit"])
def test_what_is_unclear_is_asked_again_under_the_same_key(pay, stripe, account, fault):
    stripe.fault(fault)
    unclear = pay()
    stripe.fault(None)

    again = pay()

    assert unclear.status_code == 502
    assert again.status_code in (200, 201)
    asked = stripe.asked(CREATE)
    assert len({each["headers"]["Idempotency-Key"] for each in asked}) == 1
    assert len({str(each["form"]) for each in asked}) == 1
    assert len(intents_at(stripe, account)) == 1


@on_both
def test_twenty_requests_at_once_make_one_payment(app, pay, stripe, account):
    answers = at_once(20, lambda _: pay())

    statuses = sorted(each.status_code for each in answers)
    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 409}
    assert len(intents_at(stripe, account)) == 1


def test_a_payment_is_read_without_its_client_secret(client, pay, owner, event):
    created = pay().json["data"]

    one = client.as_(owner).get(f"/v1/payment-intents/{created['id']}")
    page = client.as_(owner).get(f"/v1/events/{event.id}/payment-intents")

    assert "client-secret" not in one.json["data"]["attributes"]
    assert [each["id"] for each in page.json["data"]] == [created["id"]]
    assert "_secret_" not in one.text + page.text


def test_the_client_secret_is_stored_nowhere(pay):
    secret = pay().json["data"]["attributes"]["client-secret"]

    with transaction() as session:
        row = session.query(PaymentIntent).one()
        kept = [getattr(row, column.key) for column in PaymentIntent.__table__.columns]
    assert secret not in str(kept)


def test_a_payment_can_be_canceled_and_canceling_again_changes_nothing(client, pay, owner):
    payment = pay().json["data"]["id"]
    body = document("payment-intent", payment, status="canceled")

    first = client.as_(owner).patch(f"/v1/payment-intents/{payment}", body)
    again = client.as_(owner).patch(f"/v1/payment-intents/{payment}", body)

    for response in (first, again):
        assert response.status_code == 200
        assert response.json["data"]["attributes"]["status"] == "canceled"


@pytest.mark.parametrize("status", ["succeeded", "", None])
def test_a_payment_can_be_set_to_nothing_but_canceled(client, pay, owner, status):
    payment = pay().json["data"]["id"]
    body = document("payment-intent", payment, status=status)

    response = client.as_(owner).patch(f"/v1/payment-intents/{payment}", body)

    assert_error(response, 422, "validation", pointer="/data/attributes/status")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filter[status]=requires_payment_method", 1),
        ("filter[status]=refused", 1),
        ("filter[status]=succeeded", 0),
        ("sort=-created-at", 2),
    ],
)
def test_payments_are_found_by_their_status(client, pay, owner, event, query, found):
    pay("order-1")
    pay("order-2", amount=1)  # below Stripe's minimum

    page = client.as_(owner).get(f"/v1/events/{event.id}/payment-intents?{query}")

    assert len(page.json["data"]) == found
