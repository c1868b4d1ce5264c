"""Payments that Stripe's answer did not reach, and payments that go on at Stripe."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.clients.stripe import PaymentIntent as StripeIntent
from app.db.transactions import transaction
from app.errors import StripeUnreachable, StripeUnreadable
from app.extensions import db
from app.models import PaymentIntent, Setting, StripeAuthorization
from app.security.bulkhead import Bulkhead
from app.services.payments.complete import record_intent
from tests import webhooks
from tests.callers import assert_error, document

CREATE = "/v1/payment_intents"


@pytest.fixture(name="account")
def _account(stripe):
    return stripe.accounts[0]


@pytest.fixture(name="pay")
def _pay(client, make, owner, event, stripe, platform, account):
    """Asks for a payment of an event that is linked, as its owner."""
    stripe.connect(account)
    make.link(event, stripe_user_id=account)
    linkage = {"event": {"type": "event", "id": str(event.id)}}
    body = document("payment-intent", None, linkage, amount=1999, idempotency_key="order-1")
    caller = client.as_(owner)
    return lambda: caller.post("/v1/payment-intents", body)


@pytest.fixture(name="unclear")
def _unclear(pay, stripe):
    """Leaves a payment unclear by a fault of Stripe's, sent as long ago as a test says."""

    def unclear(fault, **ago):
        stripe.fault(fault, on="create-payment-intent")
        assert pay().status_code == 502
        stripe.fault(None)
        with transaction() as session:
            row = session.query(PaymentIntent).one()
            row.created_at = row.first_sent_at = row.first_sent_at - timedelta(**ago)
        return row.id

    return unclear


def the_payments():
    db.session.rollback()
    return db.session.query(PaymentIntent).all()


def the_payment():
    (payment,) = the_payments()
    return payment


def described(payment, **changes):
    """The payment's intent, as Stripe might describe it."""
    facts = {
        "intent_id": payment.stripe_payment_intent_id,
        "status": "succeeded",
        "amount": payment.amount,
        "currency": payment.currency,
        "livemode": False,
        "created_at": payment.created_at,
        "metadata": {},
    }
    return StripeIntent(**facts | changes)


def links():
    db.session.rollback()
    return db.session.query(StripeAuthorization).all()


def set_link(**values):
    with transaction() as session:
        session.execute(update(StripeAuthorization).values(**values))


def made_at(stripe):
    return stripe._http.get(f"{stripe.url}/_control/state", timeout=10).json()["payment_intents"]


def happened(kind, account, intent_id, **members):
    intent = {"id": intent_id, "object": "payment_intent", **members}
    return webhooks.event(f"payment_intent.{kind}", account, data={"object": intent})


@pytest.mark.parametrize("fault", ["500-after", "close-after-commit", "truncated"])
def test_reconciling_finds_out_what_became_of_a_payment(unclear, reconcile, stripe, fault):
    unclear(fault)

    report = reconcile()

    assert (report.payments.found, report.payments.finished) == (1, 1)
    assert the_payment().outcome == "created"
    assert len({each["headers"]["Idempotency-Key"] for each in stripe.asked(CREATE)}) == 1
    assert len(made_at(stripe)) == 1


def test_a_fault_that_stripe_has_saved_is_looked_up_and_not_asked_again(
    unclear, pay, reconcile, stripe
):
    unclear("500-saved-after")
    assert pay().status_code == 502  # replayed: now it is known that Stripe has saved it

    reconcile()

    assert the_payment().outcome == "created"
    assert len(made_at(stripe)) == 1
    assert pay().status_code == 200


def test_after_23_hours_a_payment_is_looked_up_by_our_own_name(unclear, pay, stripe):
    unclear("500-after", hours=23, minutes=1)
    asked = len([each for each in stripe.asked(CREATE) if each["method"] == "POST"])

    again = pay()

    assert again.status_code == 201
    posts = [each for each in stripe.asked(CREATE) if each["method"] == "POST"]
    assert len(posts) == asked
    assert len(made_at(stripe)) == 1


def test_a_call_whose_lease_has_passed_on_does_not_free_the_key(
    app, pay, stripe, unclear, monkeypatch
):
    create = app.extensions["stripe"].create_payment_intent

    def call_late(*_args, **_kwargs):
        monkeypatch.setattr(app.extensions["stripe"], "create_payment_intent", create)
        with transaction() as session:
            session.query(PaymentIntent).one().claimed_until = None
        unclear("close-after-commit")
        raise StripeUnreachable("Stripe could not be reached.")

    monkeypatch.setattr(app.extensions["stripe"], "create_payment_intent", call_late)
    assert_error(pay(), 502, "stripe-unreachable")

    assert pay().status_code in (200, 201)
    assert len(made_at(stripe)) == 1


def test_a_payment_that_stripe_does_not_list_stays_unclear_for_a_day(unclear, pay, stripe):
    unclear("500-before", hours=23, minutes=30)

    again = pay()

    assert_error(again, 502, "stripe-unreadable")
    assert again.headers["Retry-After"]
    assert the_payment().outcome is None


def test_after_a_day_it_is_closed_as_failed_and_the_key_answers_that(unclear, pay, stripe):
    unclear("500-before", hours=24, minutes=1)

    told, again = pay(), pay()

    for response in (told, again):
        error = assert_error(response, 502, "stripe-unreadable")
        assert "nothing was charged" in error["detail"]
    assert the_payment().outcome == "failed"
    assert not made_at(stripe)


def test_what_was_not_sent_leaves_the_key_free(app, pay, stripe, account):
    app.extensions["stripe"]._api_url = "http://127.0.0.1:1"

    assert_error(pay(), 502, "stripe-unreachable")

    app.extensions["stripe"]._api_url = stripe.url
    db.session.rollback()
    assert not db.session.query(PaymentIntent).count()
    assert pay().status_code == 201


def test_an_unclear_payment_to_an_account_without_access_needs_a_person(
    unclear, pay, reconcile, stripe, account
):
    unclear("500-after", hours=23, minutes=30)
    stripe.disconnect(account)

    report = reconcile()

    assert the_payment().outcome is None
    assert [each for each in report.problems if "is unclear" in each]


class TestWithoutAccess:
    @pytest.fixture(name="ours")
    def _ours(self, pay, platform):
        """Makes the link one of the platform's whose keys are in the settings."""
        set_link(client_id=platform.stripe_test_client_id)

    @pytest.fixture(name="cancel")
    def _cancel(self, client, owner):
        def cancel(payment):
            body = document("payment-intent", payment, status="canceled")
            return client.as_(owner).patch(f"/v1/payment-intents/{payment}", body)

        return cancel

    def test_the_links_of_an_account_that_was_disconnected_are_erased(
        self, ours, pay, stripe, account
    ):
        stripe.disconnect(account)

        assert_error(pay(), 409, "not-linked")
        assert not made_at(stripe)
        assert (links(), the_payments()) == ([], [])

    def test_a_payment_that_was_made_before_cannot_be_read(self, ours, pay, stripe, account):
        pay()
        stripe.disconnect(account)

        assert [pay().json["errors"][0]["code"] for _ in range(2)] == ["not-linked"] * 2
        assert links() == []

    def test_a_payment_that_was_made_before_cannot_be_canceled(
        self, ours, pay, cancel, stripe, account
    ):
        payment = pay().json["data"]["id"]
        stripe.disconnect(account)

        assert_error(cancel(payment), 409, "not-linked")
        assert links() == []

    def test_the_link_of_a_platform_that_is_not_known_is_kept(self, pay, stripe, account):
        stripe.disconnect(account)

        assert_error(pay(), 502, "stripe-rejected-platform")
        assert [link.account_status for link in links()] == ["unknown"]

    @pytest.mark.parametrize("made_before", [False, True])
    def test_with_a_wrong_key_the_link_is_kept_and_its_status_unknown(
        self, ours, pay, stripe, made_before
    ):
        if made_before:
            pay()
        set_link(account_status="active")
        stripe.fault("key-expired")

        assert_error(pay(), 502, "stripe-rejected-platform")
        assert [link.account_status for link in links()] == ["unknown"]


def test_an_answer_that_was_asked_for_earlier_changes_nothing(pay):
    pay()
    payment = the_payment()
    id_, asked = payment.id, payment.checked_at + timedelta(seconds=5)
    paid = described(payment)
    record_intent(id_, paid, asked)

    late = replace(paid, status="requires_payment_method")
    shown = record_intent(id_, late, asked - timedelta(seconds=1))

    assert (shown.status, the_payment().stripe_status) == ("succeeded", "succeeded")


def test_what_a_repeated_creation_says_is_as_old_as_the_first(unclear, pay):
    unclear("close-after-commit", minutes=1)

    assert pay().status_code == 201
    assert the_payment().checked_at == the_payment().first_sent_at


def test_that_a_person_is_needed_is_not_forgotten(unclear, pay, stripe, account):
    unclear("500-after", hours=23, minutes=30)
    stripe.disconnect(account)
    pay()
    stripe.connect(account)
    stripe.fault("500-before", on="list-payment-intents")

    assert pay().status_code == 502
    assert the_payment().needs_person


def test_unclear_payments_of_a_mode_without_a_key_need_a_person(unclear, reconcile):
    unclear("close-after-request")
    with transaction() as session:
        session.get_one(Setting, 1).stripe_test_secret_key = None

    report = reconcile()

    assert [each for each in report.problems if "no secret key of that mode" in each]


class TestAnotherPlatform:
    @pytest.fixture(name="switch")
    def _switch(self, stripe, account):
        """Registers another platform, to which the account is connected as well."""

        def switch():
            other = stripe.other_platform()
            stripe.control("connections", {"account": account, "client_id": other["client_id"]})
            with transaction() as session:
                setting = session.get_one(Setting, 1)
                setting.stripe_test_client_id = other["client_id"]
                setting.stripe_test_secret_key = other["secret_key"]

        return switch

    def test_it_looks_an_unclear_payment_up_and_does_not_make_it_again(
        self, unclear, pay, switch, stripe
    ):
        unclear("close-after-commit")
        switch()

        assert pay().status_code == 201
        assert (len(stripe.asked(CREATE)) - 1, len(made_at(stripe))) == (1, 1)
        assert the_payment().stripe_payment_intent_id == made_at(stripe)[0]["id"]

    def test_it_leaves_a_payment_unclear_that_stripe_does_not_list(
        self, unclear, pay, switch, stripe
    ):
        unclear("close-after-request")
        switch()

        assert_error(pay(), 502, "stripe-unreadable")
        assert (the_payment().outcome, made_at(stripe)) == (None, [])


@pytest.mark.parametrize("is_made", [False, True])
def test_an_answer_about_another_payment_changes_nothing(pay, make, event, is_made):
    pay()
    paid = the_payment()
    other = make.payment(event, links()[0]).id
    if not is_made:
        with transaction() as session:
            session.get_one(PaymentIntent, other).stripe_payment_intent_id = None
    before = db.session.get_one(PaymentIntent, other).stripe_payment_intent_id
    theirs = described(paid, **{"intent_id": "pi_of_nobody_here"} if is_made else {})

    with pytest.raises(StripeUnreadable):
        record_intent(other, theirs, paid.checked_at)

    db.session.rollback()
    row = db.session.get_one(PaymentIntent, other)
    assert (row.stripe_payment_intent_id, row.stripe_status) == (before, "canceled")


def test_without_a_place_for_a_call_nothing_is_kept(app, pay):
    app.extensions["stripe"].bulkhead = Bulkhead(1)
    with app.extensions["stripe"].reserve():
        assert_error(pay(), 503, "stripe-busy")

    db.session.rollback()
    assert not db.session.query(PaymentIntent).count()


@pytest.mark.parametrize(("minutes", "found"), [(4, 0), (6, 1)])
def test_only_what_is_due_is_finished_by_the_timer(unclear, reconcile, minutes, found):
    unclear("500-after", minutes=minutes)

    assert reconcile(only_due=True).payments.found == found


class TestWebhooks:
    @pytest.fixture(name="deliver")
    def _deliver(self, client, stripe):
        return webhooks.Webhooks(client, stripe).send

    def test_the_status_is_what_stripe_says_and_not_what_the_event_says(
        self, pay, deliver, stripe, account
    ):
        intent = pay().json["data"]["attributes"]["stripe-payment-intent-id"]
        body = {"payment_method": "pm_card_visa", "return_url": "https://example.com/"}
        stripe._http.post(
            f"{stripe.url}/v1/payment_intents/{intent}/confirm",
            data=body,
            headers={
                "Authorization": f"Bearer {stripe.settings['stripe-test-secret-key']}",
                "Stripe-Account": account,
            },
            timeout=10,
        ).raise_for_status()

        response = deliver(happened("payment_failed", account, intent, status="canceled"))

        assert response.status_code == 200
        assert the_payment().stripe_status == "succeeded"

    def test_a_payment_whose_answer_was_lost_is_taken_from_its_event(
        self, unclear, deliver, stripe, account
    ):
        unclear("close-after-commit")
        (made,) = made_at(stripe)

        response = deliver(happened("created", account, made["id"], metadata=made["metadata"]))

        assert response.status_code == 200
        assert the_payment().stripe_payment_intent_id == made["id"]

    def test_with_a_key_that_has_no_access_for_now_the_event_is_to_come_again(
        self, pay, deliver, stripe, account, platform
    ):
        intent = pay().json["data"]["attributes"]["stripe-payment-intent-id"]
        with transaction() as session:
            other = stripe.other_platform()["secret_key"]
            session.get_one(Setting, 1).stripe_test_secret_key = other

        assert deliver(happened("succeeded", account, intent)).status_code == 503

    def test_another_intent_with_our_metadata_does_not_take_the_place_of_ours(
        self, pay, deliver, stripe, account
    ):
        pay()
        (made,) = made_at(stripe)
        event = happened("succeeded", account, "pi_copied", metadata=made["metadata"])

        assert deliver(event).status_code == 200
        assert the_payment().stripe_payment_intent_id == made["id"]
        assert stripe.asked(f"{CREATE}/pi_copied") == []

    def test_an_event_counts_once(self, pay, deliver, stripe, account):
        intent = pay().json["data"]["attributes"]["stripe-payment-intent-id"]
        event = happened("succeeded", account, intent)

        assert [deliver(event).status_code for _ in range(2)] == [200, 200]
        assert len(stripe.asked(f"{CREATE}/{intent}")) == 1

    def test_a_payment_that_is_not_ours_is_ignored(self, pay, deliver, stripe, account):
        pay()

        assert deliver(happened("succeeded", account, "pi_somebody_elses")).status_code == 200
        assert not stripe.asked(f"{CREATE}/pi_somebody_elses")

    def test_where_stripe_cannot_be_asked_it_is_to_send_the_event_again(
        self, pay, deliver, stripe, account
    ):
        intent = pay().json["data"]["attributes"]["stripe-payment-intent-id"]
        stripe.fault("500-before", on="payment-intents")

        assert deliver(happened("succeeded", account, intent)).status_code == 503

    @pytest.mark.parametrize("intent", [None, "", 7, {"a": "b"}])
    def test_an_event_that_names_no_payment_is_ignored(self, pay, deliver, account, intent):
        pay()

        assert deliver(happened("succeeded", account, intent)).status_code == 200
