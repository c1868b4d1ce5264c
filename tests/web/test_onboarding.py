"""Connecting by onboarding at the console: begun, left, finished, and what may come between."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from app.db.transactions import transaction
from app.models import Setting, StripeAccount, StripeAuthorization
from tests.databases import on_sqlite
from tests.web.pages import words

pytestmark = on_sqlite

CALLBACK = "/connect/callback"


@pytest.fixture(autouse=True)
def _platform(make, stripe):
    make.platform(stripe)
    change_method("onboarding")


@pytest.fixture(name="owner")
def _owner(make):
    return make.user("ada@example.com")


@pytest.fixture(name="event")
def _event(make, owner):
    return make.event(owner, name="Fair")


@pytest.fixture(name="there")
def _there(browser, owner, event):
    browser.as_(owner)
    return f"/events/{event.identifier}"


def change_method(method):
    with transaction() as session:
        session.get_one(Setting, 1).stripe_connect_method = method


def at_stripe(response, decision):
    """Do at Stripe what the account's owner does there; returns the query of the way back."""
    assert response.status_code == 303
    answer = requests.post(
        response.location, data={"decision": decision}, allow_redirects=False, timeout=10
    )
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    return {name: values[0] for name, values in back.items()}


def rows(model):
    with transaction() as session:
        return session.query(model).all()


def test_what_is_finished_at_stripe_is_connected_on_return(browser, there):
    back = at_stripe(browser.send(f"{there}/connect"), "finish")

    response = browser.get(CALLBACK, back)

    assert response.location == there
    assert "Stripe account connected." in words(browser.get(there))


def test_who_left_early_is_told_so_and_finishes_with_the_same_account(browser, there):
    back = at_stripe(browser.send(f"{there}/connect"), "leave")
    browser.get(CALLBACK, back)
    page = browser.get(there)
    assert "You have begun to set up an account at Stripe." in words(page)
    assert f'action="{there}/finish"' in page.text and "Connect with Stripe" in words(page)

    browser.get(CALLBACK, at_stripe(browser.send(f"{there}/finish"), "finish"))

    assert "Stripe account connected." in words(browser.get(there))
    assert len(rows(StripeAccount)) == 1


def test_who_finished_without_coming_back_is_connected_without_another_trip(browser, there):
    at_stripe(browser.send(f"{there}/connect"), "finish")

    response = browser.send(f"{there}/finish")

    assert response.location == there
    assert "Stripe account connected." in words(browser.get(there))


def test_an_address_that_expired_leads_to_a_new_one_for_the_same_account(browser, there):
    back = at_stripe(browser.send(f"{there}/connect"), "leave")

    response = browser.get(CALLBACK, {**back, "refresh": "1"})

    browser.get(CALLBACK, at_stripe(response, "finish"))
    assert len(rows(StripeAuthorization)) == len(rows(StripeAccount)) == 1


def test_a_reconnecting_whose_address_expired_still_replaces(browser, there, event, make):
    make.link(event, stripe_user_id="acct_old")
    back = at_stripe(browser.send(f"{there}/reconnect"), "leave")

    response = browser.get(CALLBACK, {**back, "refresh": "1"})

    browser.get(CALLBACK, at_stripe(response, "finish"))
    assert [link.stripe_user_id for link in rows(StripeAuthorization)] == [
        account.stripe_user_id for account in rows(StripeAccount)
    ]


def test_a_reconnection_may_take_as_long_as_its_state_lives(browser, there, event, make):
    make.link(event, stripe_user_id="acct_old")

    browser.send(f"{there}/reconnect")

    (replacing,) = (each for each in browser.cookies() if each.path == CALLBACK)
    assert timedelta(days=6) < timedelta(seconds=replacing.max_age) <= timedelta(days=7)


def test_after_a_switch_to_oauth_nothing_is_left_to_finish(browser, there, stripe):
    at_stripe(browser.send(f"{there}/connect"), "leave")
    change_method("oauth")

    page = words(browser.get(there))
    response = browser.send(f"{there}/finish")  # from a page that was open before

    assert "Connect with Stripe" in page and "You have begun" not in page
    assert response.location.startswith(f"{stripe.url}/oauth/authorize?")


@pytest.mark.parametrize("fault", ["500-before", "key-invalid"])
def test_what_stripe_cannot_do_is_told_on_the_events_page(browser, there, stripe, fault):
    stripe.fault(fault, on="create-account")

    response = browser.send(f"{there}/connect")

    assert response.location == there
    assert re.search("Skip to content .* ! [^.]*Stripe", words(browser.get(there)))
