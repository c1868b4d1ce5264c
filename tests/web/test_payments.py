"""What the console shows of payments, and test payments."""

import re

import pytest

from app.db.transactions import transaction
from app.models import PaymentIntent
from app.services.payments import trial
from app.web.wording import money
from tests.databases import on_sqlite
from tests.web.pages import words

pytestmark = on_sqlite


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (123456, "eur", "EUR 1,234.56"),
        (5, "USD", "USD 0.05"),
        (1234, "JPY", "JPY 1,234"),
        (1234, "KWD", "KWD 1.234"),
        (99999999, "kwd", "KWD 99,999.999"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(amount, currency, shown):
    assert money(amount, currency) == shown


def test_payments_of_an_event_are_shown_with_what_they_are_for_as_text(browser, make):
    owner = make.user()
    event = make.event(owner)
    link = make.link(event, display_name="<b>Rocket</b>")
    make.payment(event, link, amount=1500, currency="JPY", description="<script>alert(1)</script>")

    page = browser.as_(owner).get(f"/events/{event.identifier}")

    assert "JPY 1,500" in words(page) and "Canceled" in words(page)
    assert "&lt;script&gt;alert" in page.text and "<script>alert" not in page.text
    assert "&lt;b&gt;Rocket" in page.text and "<b>Rocket" not in page.text


def test_disconnecting_counts_what_was_paid_to_the_account_at_every_event(browser, make):
    owner = make.user()
    event, other = make.event(owner), make.event()
    link = make.link(event, stripe_user_id="acct_shared")
    shared = make.link(other, stripe_user_id="acct_shared")
    make.payment(event, link, stripe_status="succeeded")
    make.payment(other, shared, stripe_status="succeeded")
    make.payment(event, link, stripe_status="canceled")

    page = browser.as_(owner).get(f"/events/{event.identifier}/disconnect")

    assert "2 payments were made on it in the last 90 days." in words(page)


def test_a_test_payment_that_is_sent_twice_is_one(browser, make, stripe):
    make.platform(stripe)
    owner = make.user()
    event = make.event(owner, payment_currency="JPY")
    stripe.connect(stripe.accounts[0])
    make.link(event, stripe_user_id=stripe.accounts[0])
    there = f"/events/{event.identifier}"
    key = re.search(r'name="form" value="([^"]+)"', browser.as_(owner).get(there).text)[1]

    for _ in range(2):
        browser.send(f"{there}/test-payment", {"form": key})

    assert "Test payment of JPY 800: paid." in words(browser.get(there))
    with transaction() as session:
        assert session.query(PaymentIntent).count() == 1


def test_a_test_payment_that_is_not_paid_is_not_shown_as_a_success(
    browser, make, stripe, monkeypatch
):
    monkeypatch.setattr(trial, "CARD", "pm_card_authenticationRequired")
    make.platform(stripe)
    owner = make.user()
    event = make.event(owner)
    stripe.connect(stripe.accounts[0])
    make.link(event, stripe_user_id=stripe.accounts[0])
    there = f"/events/{event.identifier}"
    key = re.search(r'name="form" value="([^"]+)"', browser.as_(owner).get(there).text)[1]

    browser.send(f"{there}/test-payment", {"form": key})

    page = browser.get(there)
    assert "Test payment of EUR 5.00: waiting for the buyer." in words(page)
    assert 'class="notice calm"' in page.text and 'class="notice good"' not in page.text


def test_a_restricted_account_is_shown_with_what_to_do(browser, make):
    owner = make.user()
    event = make.event(owner)
    make.link(event, account_status="restricted")

    said = words(browser.as_(owner).get(f"/events/{event.identifier}"))

    assert "! Restricted" in said and "finish what Stripe asks for there" in said
