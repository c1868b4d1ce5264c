"""The account's status: a snapshot that is never waited for, and shared by all instances."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from app.db.clock import database_now
from app.db.transactions import transaction
from app.errors import StripeBusy
from app.extensions import db
from app.models import AuditEntry, Setting, StripeAuthorization
from app.services.accounts import refresh as scheduling
from app.services.accounts.refresh import MOST_QUEUED, RefreshScheduler
from app.services.accounts.status import refresh
from tests.callers import link_document

PATH = "/v1/stripe-authorizations"
AT_ONCE = 8


@pytest.fixture(autouse=True)
def _set_up(platform):
    """Every story here has a platform."""


@pytest.fixture(name="drain")
def _drain(app):
    """Does now what the service would do in the background; returns how much that was."""

    def drain() -> int:
        done = app.extensions["refreshes"].drain()
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
    assert shown()["country"] == "DE"


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
            return refresh(account, False, stripe).outcome

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = sorted(pool.map(instance, range(AT_ONCE)))

    assert ["recorded", *["not-due"] * (AT_ONCE - 1)] == sorted(found, reverse=True)
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


class TestScheduler:
    """The thread behind it."""

    @pytest.fixture(name="asked")
    def _asked(self, monkeypatch):
        """The accounts that were refreshed, by whom it may be."""
        monkeypatch.setattr(scheduling, "DELAY", 0)
        asked = queue.SimpleQueue()
        monkeypatch.setattr(scheduling, "refresh", lambda account, *_: asked.put(account))
        return asked

    @pytest.fixture(name="scheduler")
    def _scheduler(self, asked):
        return RefreshScheduler(None, nullcontext)

    def test_accounts_are_refreshed_without_anybody_draining(self, scheduler, asked):
        scheduler.schedule(link_to("acct_1"))
        scheduler.schedule(link_to("acct_2"))

        assert {asked.get(timeout=10), asked.get(timeout=10)} == {"acct_1", "acct_2"}

    def test_an_account_is_refreshed_again_when_the_queue_has_been_empty(self, scheduler, asked):
        for _ in range(3):
            scheduler.schedule(link_to("acct_1"))

            assert asked.get(timeout=10) == "acct_1"

    @pytest.mark.parametrize("error", [ZeroDivisionError, StripeBusy])
    def test_a_failure_does_not_end_it(self, scheduler, asked, monkeypatch, error):
        def fail_once(account, *_):
            asked.put(account)
            if account == "acct_bad":
                raise error("in the background")

        monkeypatch.setattr(scheduling, "refresh", fail_once)
        scheduler.hold()
        for account in ("acct_bad", "acct_good"):
            scheduler.schedule(link_to(account))

        assert scheduler.drain() == 2
        assert [asked.get(timeout=1), asked.get(timeout=1)] == ["acct_bad", "acct_good"]

    def test_an_account_is_queued_once_and_no_more_than_fit(self, scheduler):
        scheduler.hold()
        for number in range(MOST_QUEUED + 10):
            scheduler.schedule(link_to(f"acct_{number}"))
            scheduler.schedule(link_to(f"acct_{number}"))

        assert scheduler.drain() == MOST_QUEUED

    def test_without_a_thread_nothing_fails_and_the_next_call_tries_again(
        self, scheduler, asked, monkeypatch
    ):
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse_to_start)
            scheduler.schedule(link_to("acct_1"))
        assert asked.empty()

        scheduler.schedule(link_to("acct_2"))

        assert [asked.get(timeout=10), asked.get(timeout=10)] == ["acct_1", "acct_2"]

    def test_a_link_whose_account_was_just_refreshed_costs_nothing(self, app, linked):
        age(linked, 10)
        db.session.refresh(linked)
        app.extensions["refreshes"].schedule(linked)

        assert app.extensions["refreshes"].drain() == 0


def test_a_link_is_made_and_shown_although_no_thread_can_be_started(
    app, organizer, event, stripe, monkeypatch
):
    refreshes = RefreshScheduler(app.extensions["stripe"], app.app_context)
    monkeypatch.setitem(app.extensions, "refreshes", refreshes)
    monkeypatch.setattr(threading.Thread, "start", refuse_to_start)

    made = organizer.post(PATH, link_document(event, stripe.code()))
    shown = organizer.get(f"{PATH}/{made.json['data']['id']}")

    assert (made.status_code, shown.status_code) == (201, 200)


def link_to(account):
    return SimpleNamespace(stripe_user_id=account, livemode=False, account_checked_at=None)


def refuse_to_start(thread, start=threading.Thread.start):
    if thread.name == "refresh":
        raise RuntimeError("can't start new thread")
    start(thread)
