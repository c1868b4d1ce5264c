"""Unlinking: tokens go at once, the account is given back where nobody else uses it."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app.db.clock import database_now
from app.db.transactions import transaction
from app.errors import StripeUnreachable
from app.extensions import db
from app.models import AuditEntry, Setting, StripeAuthorization, StripeDeauthorization
from app.services.accounts.links import AccountKey, lock_accounts
from app.services.deauthorization import outbox
from tests.callers import assert_error, document

PATH = "/v1/stripe-authorizations"
CUT = "/oauth/deauthorize"


@pytest.fixture(autouse=True)
def _set_up(platform):
    """Every story here has a platform."""


@pytest.fixture(name="linked")
def _linked(link):
    """The id of the event's link to the first account."""
    return link().json["data"]["id"]


@pytest.fixture(name="unlink")
def _unlink(organizer):
    """Unlinks by the link's own address and returns the answer."""

    def unlink(authorization_id, by=organizer):
        response = by.delete(f"{PATH}/{authorization_id}")
        db.session.rollback()
        return response

    return unlink


def told(stripe) -> list[str]:
    """The accounts that Stripe was told to cut."""
    return [each["form"]["stripe_user_id"] for each in stripe.asked(CUT)]


def owed() -> list[StripeDeauthorization]:
    db.session.rollback()
    rows = StripeDeauthorization
    return list(db.session.scalars(select(rows).where(rows.done_at.is_(None))))


def test_the_account_is_disconnected_at_stripe_and_nothing_of_the_link_stays(
    unlink, linked, stripe
):
    response = unlink(linked)

    assert response.status_code == 200
    assert response.json == {
        "meta": {"message": "Object successfully deleted", "deauthorization": "done"},
        "jsonapi": {"version": "1.0"},
    }
    assert stripe.connections() == set()
    assert db.session.execute(text("SELECT * FROM stripe_authorizations")).all() == []


def test_by_the_events_address_it_works_alike(organizer, event, linked, stripe):
    response = organizer.delete(f"/v1/events/{event.identifier}/stripe-authorization")

    assert response.json["meta"]["deauthorization"] == "done"
    assert stripe.connections() == set()


def test_a_second_time_there_is_nothing_to_unlink(unlink, linked, stripe):
    unlink(linked)

    assert_error(unlink(linked), 404, "not-found")
    assert len(told(stripe)) == 1


def test_an_account_that_another_event_uses_stays_connected(
    unlink, linked, link, make, owner, stripe
):
    second = link(of=make.event(owner)).json["data"]["id"]

    assert unlink(linked).json["meta"]["deauthorization"] == "shared"
    assert told(stripe) == []
    assert unlink(second).json["meta"]["deauthorization"] == "done"
    assert stripe.connections() == set()


def test_a_link_in_the_other_mode_does_not_share_the_account(unlink, linked, make, owner, stripe):
    make.link(make.event(owner), livemode=True, stripe_user_id=stripe.accounts[0])

    response = unlink(linked)

    assert response.json["meta"]["deauthorization"] == "done"


@pytest.mark.parametrize("fault", ["deauthorize-500", "429", "html", "close-after-request"])
def test_what_stripe_cannot_be_told_now_is_owed_and_the_link_is_gone_all_the_same(
    unlink, linked, stripe, fault
):
    stripe.fault(fault, on="deauthorize")

    response = unlink(linked)

    assert response.json["meta"]["deauthorization"] == "pending"
    assert [each.stripe_user_id for each in owed()] == [stripe.accounts[0]]
    assert db.session.scalars(select(StripeAuthorization)).all() == []


def test_an_account_that_stripe_does_not_know_as_connected_is_done(unlink, linked, stripe):
    stripe.disconnect(stripe.accounts[0])

    response = unlink(linked)

    assert response.json["meta"]["deauthorization"] == "done"
    assert owed() == []


def test_a_platform_key_that_does_not_open_leaves_the_deauthorization_pending(unlink, linked):
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        setting.sealed_stripe_test_secret_key = setting.sealed_stripe_test_client_id

    response = unlink(linked)

    assert response.json["meta"]["deauthorization"] == "pending"
    (pending,) = owed()
    assert (pending.needs_person, pending.error_code) == (True, "secret-unreadable")


def test_an_unknown_application_is_not_done_and_needs_a_person(unlink, linked):
    with transaction() as session:
        session.get_one(StripeAuthorization, int(linked)).client_id = "ca_of_another_platform"

    response = unlink(linked)

    assert response.json["meta"]["deauthorization"] == "pending"
    (debt,) = owed()
    assert debt.needs_person
    assert debt.error_code == "stripe-rejected-platform"


def test_stripe_is_told_with_the_client_id_that_was_kept_with_the_link(unlink, linked, stripe):
    with transaction() as session:
        session.get_one(Setting, 1).stripe_test_client_id = "ca_of_a_later_platform"

    unlink(linked)

    (request,) = stripe.asked(CUT)
    assert request["form"]["client_id"] == stripe.settings["stripe-test-client-id"]


def test_a_replaced_account_is_given_back_with_the_client_id_of_its_own_link(
    organizer, event, linked, stripe
):
    with transaction() as session:
        session.get_one(StripeAuthorization, int(linked)).client_id = "ca_of_an_earlier_platform"

    organizer.patch(
        f"{PATH}/{linked}",
        document("stripe-authorization", linked, stripe_auth_code=stripe.code(stripe.accounts[1])),
    )

    (request,) = stripe.asked(CUT)
    assert request["form"]["stripe_user_id"] == stripe.accounts[0]
    assert request["form"]["client_id"] == "ca_of_an_earlier_platform"


def test_linking_the_account_again_cancels_what_is_owed_for_it(unlink, linked, link, stripe):
    stripe.fault("deauthorize-500", on="deauthorize")
    unlink(linked)
    stripe.fault(None)

    assert link().status_code == 201
    assert owed() == []
    assert stripe.connections() == {stripe.accounts[0]}


@pytest.mark.parametrize("role", ["coorganizer", None])
def test_only_organizers_unlink(unlink, linked, client, make, event, stripe, role):
    somebody = make.person(event, role) if role else make.user()

    assert_error(unlink(linked, by=client.as_(somebody)), 403, "forbidden")
    assert told(stripe) == []


def test_who_unlinked_is_in_the_audit_trail(unlink, linked, owner, event, stripe):
    unlink(linked)

    entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert (entry.action, entry.subject) == ("stripe-authorization.delete", stripe.accounts[0])
    assert (entry.user_id, entry.event_id) == (owner.id, event.id)


def test_deleting_an_event_unlinks_it_in_both_modes(organizer, event, linked, make, stripe):
    live = make.link(event, livemode=True, client_id=stripe.settings["stripe-client-id"])

    response = organizer.delete(f"/v1/events/{event.id}")

    assert response.status_code == 200
    db.session.rollback()
    assert db.session.scalars(select(StripeAuthorization)).all() == []
    assert told(stripe) == [stripe.accounts[0], live.stripe_user_id]


def test_switching_stripe_off_keeps_the_link(organizer, event, linked, stripe):
    organizer.patch(f"/v1/events/{event.id}", document("event", event.id, can_pay_by_stripe=False))

    shown = organizer.get(f"/v1/events/{event.id}").json["data"]["attributes"]
    assert shown["is-stripe-linked"] is False
    assert organizer.get(f"{PATH}/{linked}").status_code == 200
    assert told(stripe) == []


class TestCutsUnderWay:
    """A request that cuts an account must not hit a link that is made at the same time."""

    @pytest.fixture(name="second")
    def _second(self, make, owner):
        """Another event of the owner's."""
        return make.event(owner)

    @pytest.fixture(name="code")
    def _code(self, stripe):
        """A code for the account, had before: what is timed is the link alone."""
        return stripe.code()

    @pytest.fixture(name="cutting")
    def _cutting(self, organizer, linked, second, code, stripe):
        """Stripe has received the request to cut the account, and takes its time."""
        stripe.fault("slow", on="deauthorize", seconds=2)
        thread = threading.Thread(target=organizer.delete, args=[f"{PATH}/{linked}"])
        thread.start()
        while not told(stripe):
            assert thread.is_alive()
        yield
        thread.join()

    def test_a_link_made_while_the_account_is_being_cut_is_not_kept_and_then_dead(
        self, cutting, link, second, code
    ):
        response = link(code, of=second)

        assert_error(response, 502, "stripe-unreadable")
        db.session.rollback()
        assert db.session.scalars(select(StripeAuthorization)).all() == []

    def test_after_that_the_account_can_be_linked_again(self, cutting, link, second, code, stripe):
        link(code, of=second)

        assert link(of=second).status_code == 201
        assert stripe.connections() == {stripe.accounts[0]}


class Interrupted:
    """A client for Stripe in whose call to deauthorize something else happens."""

    timeout = 1

    def __init__(self, happening, error=None):
        self.happening, self.error = happening, error
        self.told = 0

    def deauthorize(self, account_id, **_):
        self.told += 1
        self.happening()
        if self.error:
            raise self.error


def enqueue(account_id="acct_1") -> int:
    with transaction() as session:
        account = AccountKey(account_id, False)
        lock_accounts(session, account)
        return outbox.enqueue(session, account, client_id="ca_1", event_id=None)


def test_what_is_enqueued_again_while_it_is_delivered_stays_pending(app):
    pending = enqueue()

    assert outbox.deliver(pending, Interrupted(enqueue)) == "pending"
    assert [each.id for each in owed()] == [pending]
    assert outbox.deliver(pending, Interrupted(lambda: None)) == "done"
    assert owed() == []


def test_what_another_process_is_delivering_is_not_delivered_twice(app):
    pending = enqueue()
    second = Interrupted(lambda: None)
    first = Interrupted(lambda: outbox.deliver(pending, second))

    assert outbox.deliver(pending, first) == "done"
    assert (first.told, second.told) == (1, 0)


def test_what_another_process_has_delivered_is_done(app):
    pending = enqueue()
    outbox.deliver(pending, Interrupted(lambda: None))
    late = Interrupted(lambda: None)

    assert outbox.deliver(pending, late) == "done"
    assert late.told == 0


def test_nothing_is_sent_for_an_account_that_is_linked_again(app, make):
    pending = enqueue()
    make.link(make.event(), stripe_user_id="acct_1")
    stripe = Interrupted(lambda: None)

    assert outbox.deliver(pending, stripe) == "pending"
    assert stripe.told == 0
    assert owed() == []


def test_each_failure_doubles_the_wait_until_the_next_try(app):
    pending = enqueue()
    away = Interrupted(lambda: None, StripeUnreachable("Not there."))
    waits = []
    for _ in range(3):
        outbox.deliver(pending, away)
        row = owed()[0]
        now = db.session.scalar(select(database_now()))
        waits.append(round((row.next_try_at - now) / timedelta(seconds=1)))

    assert waits == pytest.approx([60, 120, 240], abs=5)
    assert owed()[0].sent_at is None
