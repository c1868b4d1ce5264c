"""Attempts whose process died, or whose answer came too late."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.db.clock import database_now
from app.db.transactions import transaction
from app.extensions import db
from app.models import (
    Event,
    Setting,
    StripeAuthorization,
    StripeLinkAttempt,
    User,
    UsersEventsRole,
)
from tests.callers import assert_error, document, link_document
from tests.simultaneous import until

PATH = "/v1/stripe-authorizations"
CODE = "/data/attributes/stripe-auth-code"


@pytest.fixture(name="in_flight")
def _in_flight(organizer, event, platform, stripe):
    """Starts a link that Stripe answers only when `finish()` is called, which gives the answer."""

    class InFlight:
        code = stripe.code()
        answers: list = []

        def start(self, by=organizer):
            self.answers = []
            stripe.fault("slow", on="token", seconds=60, times=1)
            body = link_document(event, self.code)
            self.thread = threading.Thread(target=lambda: self.answers.append(by.post(PATH, body)))
            self.thread.start()
            until(lambda: stripe.asked() != [])
            db.session.rollback()

        def finish(self):
            stripe.fault(None)
            self.thread.join()
            db.session.rollback()
            return self.answers[0]

    running = InFlight()
    yield running
    stripe.fault(None)
    if hasattr(running, "thread"):
        running.thread.join()


def expire_attempt():
    """Let the attempt's time be over, as if its process had died long ago."""
    with transaction() as session:
        attempt = session.query(StripeLinkAttempt).one()
        attempt.expires_at = session.scalar(select(database_now())) - timedelta(seconds=1)


def test_an_attempts_time_is_over_a_little_before_it_is_promised_to_be(app, link):
    link()

    attempt = db.session.query(StripeLinkAttempt).one()
    promised = timedelta(seconds=app.extensions["config"].stripe_timeout + 10)
    early = promised - (attempt.expires_at - attempt.started_at)
    assert timedelta(0) < early <= timedelta(seconds=1)


def test_while_an_attempt_is_under_way_the_next_is_told_when_to_come_back(link, in_flight, stripe):
    in_flight.start()

    response = link()

    assert_error(response, 409, "link-in-progress")
    assert 1 <= int(response.headers["Retry-After"]) <= 30
    assert [in_flight.code] == stripe.codes_seen()
    assert in_flight.finish().status_code == 201


def test_the_same_code_is_told_to_wait_too(link, in_flight, stripe):
    in_flight.start()

    assert_error(link(in_flight.code), 409, "link-in-progress")
    assert in_flight.finish().status_code == 201
    assert link(in_flight.code).status_code == 200


def test_unlinking_and_deleting_wait_for_an_attempt(in_flight, organizer, event, make):
    link = make.link(event, livemode=True)
    in_flight.start()

    assert_error(organizer.delete(f"{PATH}/{link.id}"), 409, "link-in-progress")
    assert_error(organizer.delete(f"/v1/events/{event.id}"), 409, "link-in-progress")
    assert in_flight.finish().status_code == 201


def test_an_attempt_whose_time_is_over_is_closed_by_the_next_and_keeps_nothing(
    link, in_flight, stripe, organizer, event
):
    in_flight.start()
    expire_attempt()
    second = link(stripe.code(stripe.accounts[1]))

    late = in_flight.finish()

    assert second.status_code == 201, second.text
    assert_error(late, 409, "conflict")
    kept = db.session.query(StripeAuthorization).one()
    assert stripe.accounts[1] == kept.stripe_user_id
    assert {stripe.accounts[1]} == stripe.connections()
    history = organizer.get(f"/v1/events/{event.id}/stripe-link-attempts").json["data"]
    assert [each["attributes"]["outcome"] for each in history] == ["linked", "interrupted"]


def test_a_late_grant_of_an_account_that_is_linked_meanwhile_cuts_nothing(link, in_flight, stripe):
    in_flight.start()
    expire_attempt()
    link(stripe.code(stripe.accounts[0]))

    assert_error(in_flight.finish(), 409, "conflict")
    assert {stripe.accounts[0]} == stripe.connections()


def test_the_code_of_an_interrupted_attempt_is_never_sent_again(link, stripe, in_flight):
    in_flight.start()
    expire_attempt()
    asked_before = stripe.codes_seen()

    assert_error(link(in_flight.code), 422, "code-already-used", pointer=CODE)
    assert asked_before == stripe.codes_seen()
    assert_error(in_flight.finish(), 409, "conflict")


def test_the_history_shows_an_attempt_whose_time_is_over_as_interrupted(
    in_flight, organizer, event
):
    in_flight.start()
    expire_attempt()

    history = organizer.get(f"/v1/events/{event.id}/stripe-link-attempts?include=user").json

    (shown,), (user,) = history["data"], history["included"]
    assert shown["attributes"]["outcome"] == "interrupted"
    assert "@" in user["attributes"]["email"]
    assert shown["attributes"]["finished-at"]
    assert in_flight.finish().status_code == 201  # nobody has closed it: not too late


def lose_the_right(event, **_):
    db.session.query(UsersEventsRole).filter_by(event_id=event.id).delete()


def become_a_coorganizer(event, **_):
    db.session.query(UsersEventsRole).filter_by(event_id=event.id).update({"role": "coorganizer"})


def block_the_user(owner, **_):
    db.session.get(User, owner.id).is_blocked = True


def delete_the_user(owner, **_):
    db.session.get(User, owner.id).deleted_at = database_now()


def switch_stripe_off(event, **_):
    db.session.get(Event, event.id).can_pay_by_stripe = False


def delete_event(event, **_):
    db.session.get(Event, event.id).deleted_at = database_now()


def switch_mode(**_):
    db.session.get(Setting, 1).stripe_mode = "production"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lose_the_right, 403, "forbidden"),
        (become_a_coorganizer, 403, "forbidden"),
        (block_the_user, 403, "forbidden"),
        (delete_the_user, 403, "forbidden"),
        (switch_stripe_off, 403, "stripe-disabled"),
        (delete_event, 404, "not-found"),
        (switch_mode, 422, "stripe-mode-mismatch"),
    ],
)
def test_what_is_not_allowed_any_more_when_stripe_answers_is_given_back(
    in_flight, event, owner, stripe, link, change, status, code
):
    in_flight.start()
    with transaction():
        change(event=event, owner=owner)

    response = in_flight.finish()

    assert_error(response, status, code)
    assert db.session.query(StripeAuthorization).count() == 0
    assert set() == stripe.connections()
    assert [stripe.accounts[0]] == [
        each["form"]["stripe_user_id"] for each in stripe.asked("/oauth/deauthorize")
    ]


def test_an_admin_who_is_none_any_more_when_stripe_answers_keeps_nothing(
    in_flight, client, make, stripe
):
    admin = make.admin()
    in_flight.start(by=client.as_(admin))
    with transaction() as session:
        session.get_one(User, admin.id).is_admin = False

    response = in_flight.finish()

    assert_error(response, 403, "forbidden")
    assert set() == stripe.connections()


def test_switching_stripe_off_while_linking_through_the_api_keeps_nothing(
    in_flight, organizer, event, stripe
):
    in_flight.start()
    organizer.patch(f"/v1/events/{event.id}", document("event", event.id, can_pay_by_stripe=False))

    assert_error(in_flight.finish(), 403, "stripe-disabled")
    assert set() == stripe.connections()
