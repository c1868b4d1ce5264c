"""The account's status: a snapshot that is never waited for, and shared by all instances."""

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.account_looks import look_soon
from app.background import MOST_WAITING, Background
from app.db.clock import database_now
from app.db.transactions import transaction
from app.extensions import db
from app.models import AuditEntry, Setting, StripeAuthorization
from app.services.accounts.status import refresh

PATH = "/v1/stripe-authorizations"
AT_ONCE = 8


@pytest.fixture(autouse=True)
def _set_up(platform):
    """Every story here has a platform."""


@pytest.fixture(name="drain")
def _drain(app):
    """Does now what the service would do in the background; returns how much that was."""

    def drain() -> int:
        done = app.extensions["background"].drain()
        db.session.rollback()
        return done

    return drain


@pytest.fixture(name="account")
def _account(stripe):
    """An account that is connected to the platform."""
    stripe.connect(stripe.accounts[0])
    return stripe.accounts[0]


@pytest.fixture(name="linked")
def _linked(make, event, stripe, account):
    """A link to it that nobody has looked at."""
    return make.link(
        event, stripe_user_id=account, client_id=stripe.settings["stripe-test-client-id"]
    )


@pytest.fixture(name="asked")
def _asked(stripe):
    """Says how often Stripe was asked about an account."""
    return lambda account: len(stripe.asked(f"/v1/accounts/{account}"))


@pytest.fixture(name="shown")
def _shown(organizer, event):
    """The link's attributes as the organizer sees them."""
    return lambda: organizer.get(f"/v1/events/{event.id}/stripe-authorization").json["data"][
        "attributes"
    ]


def age(link: StripeAuthorization, seconds: int) -> None:
    """Make the snapshot that old."""
    with transaction() as session:
        now = session.scalar(select(database_now()))
        row = session.get_one(StripeAuthorization, link.id)
        row.account_checked_at = now - timedelta(seconds=seconds)


def test_after_linking_the_account_is_looked_at(link, drain, shown, stripe):
    answer = link().json["data"]["attributes"]
    assert answer["account-status"] == "unknown"

    drain()

    assert shown()["account-status"] == "active"
    assert shown()["display-name"]


def test_an_account_that_cannot_take_payments_is_restricted(linked, drain, shown, stripe, account):
    stripe.control(f"accounts/{account}", {"disabled_reason": "requirements.past_due"})
    shown()

    drain()

    assert shown()["account-status"] == "restricted"


@pytest.mark.parametrize("fault", ["account-500", "html", "truncated", "429"])
def test_a_link_is_made_whatever_stripe_says_of_the_account(link, drain, shown, stripe, fault):
    stripe.fault(fault, on="accounts")

    assert link().status_code == 201
    drain()

    assert shown()["account-status"] == "unknown"


def test_reading_a_link_never_waits_for_stripe(linked, stripe, shown, asked):
    stripe.fault("hang", on="accounts")

    assert shown()["account-status"] == "unknown"
    assert asked(linked.stripe_user_id) == 0


def test_reading_looks_again_once_a_minute(linked, drain, shown, asked):
    shown()
    assert drain() == 1
    age(linked, 59)
    shown()
    assert drain() == 0
    age(linked, 61)
    shown()
    assert drain() == 1

    assert asked(linked.stripe_user_id) == 2


def test_a_failed_look_counts_too_and_keeps_what_was_known(linked, drain, shown, asked, stripe):
    shown()
    drain()
    age(linked, 61)
    stripe.fault("account-500", on="accounts")
    shown()
    drain()
    shown()

    assert drain() == 0
    assert shown()["account-status"] == "active"
    assert asked(linked.stripe_user_id) == 2


def test_buyers_cause_no_look(linked, client, drain, event):
    client.get(f"/v1/events/{event.id}/stripe-authorization")
    client.get(f"{PATH}/{linked.id}")

    assert drain() == 0


def test_coorganizers_do(linked, client, make, drain, event):
    client.as_(make.person(event, "coorganizer")).get(f"{PATH}/{linked.id}")

    assert drain() == 1


def test_one_look_serves_every_link_to_the_account(linked, make, drain, shown, asked, account):
    other = make.link(make.event(), stripe_user_id=account)

    shown()
    drain()

    db.session.refresh(other)
    assert other.account_status == "active"
    assert asked(account) == 1


def test_a_link_in_the_other_mode_has_a_status_of_its_own(linked, make, drain, shown, account):
    live = make.link(make.event(), livemode=True, stripe_user_id=account)

    shown()
    drain()

    db.session.refresh(live)
    assert live.account_status == "unknown"


def test_instances_share_one_look_a_minute(app, linked, asked, account):
    stripe = app.extensions["stripe"]
    ready = threading.Barrier(AT_ONCE)

    def instance(_):
        with app.app_context():
            ready.wait()
            return refresh(account, False, stripe)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = sorted(pool.map(instance, range(AT_ONCE)))

    assert ["kept", *["not-due"] * (AT_ONCE - 1)] == found
    assert asked(account) == 1


def test_no_connection_to_the_database_is_held_while_stripe_is_asked(app, linked, account):
    class Watching:
        timeout = 1
        held = None

        def read_account(self, *_, **__):
            self.held = db.engine.pool.checkedout()
            return app.extensions["stripe"].read_account(*_, **__)

    db.session.rollback()
    watching = Watching()
    refresh(account, False, watching)

    assert watching.held == 0


class TestDisconnected:
    """403 `account_invalid`: the link is erased, and the history says so."""

    def test_the_link_is_erased_and_the_history_and_the_audit_trail_say_so(
        self, link, organizer, event, drain, stripe
    ):
        link()
        stripe.disconnect(stripe.accounts[0])
        drain()

        response = organizer.get(f"/v1/events/{event.id}/stripe-authorization")
        (attempt,) = organizer.get(f"/v1/events/{event.id}/stripe-link-attempts").json["data"]
        entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()

        assert response.status_code == 404
        assert attempt["attributes"]["outcome"] == "linked"
        assert "disconnected at Stripe" in attempt["attributes"]["detail"]
        assert (entry.action, entry.user_id, entry.event_id) == (
            "stripe-authorization.deauthorized",
            None,
            event.id,
        )
        assert entry.subject == stripe.accounts[0]

    def test_the_event_can_be_linked_again(self, link, drain, stripe):
        link()
        stripe.disconnect(stripe.accounts[0])
        drain()

        assert link().status_code == 201
        drain()
        assert len(db.session.scalars(select(StripeAuthorization)).all()) == 1

    def test_a_link_made_while_stripe_was_asked_stays(self, app, linked, make, account, stripe):
        stripe.disconnect(account)
        client = app.extensions["stripe"]

        class Relinking:
            timeout = 1
            check_platform = client.check_platform

            def read_account(self, *_, **__):
                try:
                    return client.read_account(*_, **__)
                finally:
                    stripe.connect(account)
                    self.fresh = make.link(
                        make.event(), stripe_user_id=account, client_id=linked.client_id
                    )

        relinking = Relinking()
        refresh(account, False, relinking)

        db.session.rollback()
        assert [relinking.fresh.id] == list(db.session.scalars(select(StripeAuthorization.id)))

    def test_a_wrong_key_of_ours_costs_nobody_a_link(self, linked, drain, shown, stripe, app):
        """The key of another platform is told "not connected" of every account of ours."""
        elsewhere = stripe.other_platform()
        with transaction() as session:
            session.get_one(Setting, 1).stripe_test_secret_key = elsewhere["secret_key"]
        shown()

        drain()

        assert shown()["account-status"] == "unknown"

    def test_links_of_a_former_platform_are_not_judged_by_the_present_one(
        self, linked, drain, shown, stripe, account
    ):
        stripe.disconnect(account)
        with transaction() as session:
            session.get_one(StripeAuthorization, linked.id).client_id = "ca_former"
        shown()

        drain()

        assert shown()["account-status"] == "unknown"


class TestBackground:
    """The thread behind it."""

    @pytest.fixture(name="background")
    def _background(self, app):
        return Background(app)

    def test_work_is_done_without_anybody_draining(self, background):
        done = threading.Event()

        background.submit("key", done.set)

        assert done.wait(10)

    def test_what_fails_does_not_end_it(self, background):
        done = threading.Event()

        background.submit("bad", lambda: 1 / 0)
        background.submit("good", done.set)

        assert done.wait(10)

    def test_the_same_work_waits_once_and_no_more_than_fits(self, background):
        background.hold()
        for number in range(MOST_WAITING + 10):
            background.submit(number, int)
            background.submit(number, int)

        assert background.drain() == MOST_WAITING

    def test_a_forked_child_has_a_thread_of_its_own(self, background):
        started = threading.Event()
        background.submit("parent", started.set)
        assert started.wait(10)
        readable, writable = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the parent has threads is the point
            child = os.fork()
        if child == 0:
            done = threading.Event()
            background.submit("child", done.set)
            os.write(writable, b"y" if done.wait(10) else b"n")
            os._exit(0)
        os.waitpid(child, 0)

        assert os.read(readable, 1) == b"y"
        os.close(readable)
        os.close(writable)

    def test_a_link_that_was_just_looked_at_costs_nothing(self, app, linked):
        age(linked, 10)
        db.session.refresh(linked)
        look_soon(linked)

        assert app.extensions["background"].drain() == 0
