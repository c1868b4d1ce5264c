"""A new code for an event that is linked: exchange, then replace in one step."""

import pytest

from app.extensions import db
from app.models import StripeAuthorization
from tests.callers import assert_error, document

CODE = "/data/attributes/stripe-auth-code"


@pytest.fixture(name="linked")
def _linked(link, stripe):
    """The link's resource object, as the first POST answered it, and the code that made it."""
    code = stripe.code()
    return link(code).json["data"], code


@pytest.fixture(name="relink")
def _relink(organizer, linked):
    def relink(code=None, *, by=None, path=None, id_=None, relationships=None):
        attributes = {} if code is None else {"stripe_auth_code": code}
        body = document("stripe-authorization", id_ or linked[0]["id"], relationships, **attributes)
        response = (by or organizer).patch(path or linked[0]["links"]["self"], body)
        db.session.rollback()
        return response

    return relink


def kept():
    return db.session.query(StripeAuthorization).one()


def test_a_new_code_replaces_the_account_and_gives_the_old_one_back(relink, linked, stripe):
    response = relink(stripe.code(stripe.accounts[1]))

    assert response.status_code == 200, response.text
    assert stripe.accounts[1] == response.json["data"]["attributes"]["stripe-user-id"]
    assert linked[0]["id"] == response.json["data"]["id"]
    assert {stripe.accounts[1]} == stripe.connections()


def test_a_new_code_of_the_same_account_renews_its_tokens_and_cuts_nothing(relink, stripe):
    before = kept().stripe_secret_key
    db.session.rollback()

    response = relink(stripe.code(stripe.accounts[0]))

    assert response.status_code == 200
    assert before != kept().stripe_secret_key
    assert {stripe.accounts[0]} == stripe.connections()
    assert stripe.asked("/oauth/deauthorize") == []


def test_the_old_account_is_kept_at_stripe_while_another_event_uses_it(
    relink, link, make, owner, stripe
):
    link(stripe.code(stripe.accounts[0]), of=make.event(owner))

    relink(stripe.code(stripe.accounts[1]))

    assert {stripe.accounts[0], stripe.accounts[1]} == stripe.connections()


def test_by_the_events_address_it_works_alike(relink, event, stripe):
    path = f"/v1/events/{event.identifier}/stripe-authorization"

    response = relink(stripe.code(stripe.accounts[1]), path=path)

    assert response.status_code == 200
    assert stripe.accounts[1] == response.json["data"]["attributes"]["stripe-user-id"]


def test_the_code_that_made_the_link_changes_nothing(relink, linked, stripe):
    response = relink(linked[1])

    assert response.status_code == 200
    assert linked[0] == response.json["data"]
    assert [linked[1]] == stripe.codes_seen()


def test_the_old_link_stays_if_stripe_refuses(relink, linked, stripe):
    assert_error(relink("ac_made_up"), 422, "stripe-refused", pointer=CODE)

    assert stripe.accounts[0] == kept().stripe_user_id
    assert {stripe.accounts[0]} == stripe.connections()


def test_the_replaced_code_is_not_answered_as_if_it_still_counted(relink, linked, link, stripe):
    relink(stripe.code(stripe.accounts[1]))

    assert_error(link(linked[1]), 422, "code-already-used", pointer=CODE)


def test_without_a_code_there_is_nothing_to_do(relink):
    assert_error(relink(), 422, "validation", pointer=CODE)


def test_the_id_must_be_the_links_own(relink, stripe):
    assert_error(relink(stripe.code(), id_="99"), 400, "id-mismatch", pointer="/data/id")


def test_a_link_is_not_moved_to_another_event(relink, make, owner, stripe, linked):
    other = make.event(owner)

    response = relink(
        stripe.code(), relationships={"event": {"type": "event", "id": str(other.id)}}
    )

    assert_error(response, 403, "forbidden", pointer="/data/relationships/event")
    assert [linked[1]] == stripe.codes_seen()


def test_an_event_one_may_not_know_of_is_not_there_to_move_to(relink, make, stripe):
    draft = make.event(state="draft")

    response = relink(
        stripe.code(), relationships={"event": {"type": "event", "id": str(draft.id)}}
    )

    assert_error(response, 404, "not-found")


def test_the_events_own_linkage_is_no_move(relink, event, stripe):
    response = relink(
        stripe.code(), relationships={"event": {"type": "event", "id": str(event.id)}}
    )

    assert response.status_code == 200


def test_a_link_of_the_other_mode_is_left_alone(relink, make, stripe, linked):
    make.platform(stripe, mode="production")

    response = relink(stripe.code(livemode=True))

    assert_error(response, 422, "stripe-mode-mismatch")
    assert [linked[1]] == stripe.codes_seen()


def test_the_code_of_the_other_modes_link_is_none_for_this_one(relink, event, make, stripe, linked):
    live = make.link(event, livemode=True)
    make.platform(stripe, mode="production")

    response = relink(linked[1], id_=live.id, path=f"/v1/stripe-authorizations/{live.id}")

    assert_error(response, 422, "code-already-used", pointer=CODE)
    assert relink(linked[1]).status_code == 200


@pytest.mark.parametrize("role", [None, "coorganizer"])
def test_only_organizers_relink(relink, client, make, event, stripe, linked, role):
    user = make.person(event, role) if role else make.user()

    assert_error(relink(stripe.code(), by=client.as_(user)), 403, "forbidden")
    assert [linked[1]] == stripe.codes_seen()


def test_an_unlinked_event_has_nothing_to_relink(relink, organizer, linked, stripe):
    organizer.delete(linked[0]["links"]["self"])

    assert_error(relink(stripe.code()), 404, "not-found")
