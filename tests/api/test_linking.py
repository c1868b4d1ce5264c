"""Linking an event to a Stripe account, through the front door."""

import pytest

from tests.callers import assert_error, link_document


@pytest.fixture(name="platform", autouse=True)
def _platform(make, stripe):
    return make.platform(stripe)


@pytest.fixture(name="owner")
def _owner(make):
    return make.user()


@pytest.fixture(name="event")
def _event(make, owner):
    return make.event(owner)


def test_a_code_links_the_account_that_allowed_it(client, owner, event, stripe):
    response = client.as_(owner).post(
        "/v1/stripe-authorizations", link_document(event, stripe.code())
    )

    assert response.status_code == 201, response.text
    assert response.json["data"]["attributes"]["stripe-user-id"] == stripe.accounts[0]
    assert stripe.connections() == {stripe.accounts[0]}


def test_an_event_can_be_linked_only_once(client, owner, event, stripe):
    caller = client.as_(owner)
    caller.post("/v1/stripe-authorizations", link_document(event, stripe.code()))

    response = caller.post("/v1/stripe-authorizations", link_document(event, stripe.code()))

    assert_error(response, 409, "already-linked", pointer="/data/relationships/event")
    assert len(stripe.codes_seen()) == 1
