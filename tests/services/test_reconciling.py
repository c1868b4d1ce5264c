"""Reconciling: what was left undone is put right, once, however many do it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from app.db.clock import database_now
from app.db.transactions import transaction
from app.extensions import db
from app.models import (
    EndedSession,
    Setting,
    StripeAuthorization,
    StripeAuthorizationRequest,
    StripeDeauthorization,
    StripeLinkAttempt,
    StripeWebhookEvent,
)
from app.security.bulkhead import Bulkhead
from app.security.crypto import Cipher
from app.services.deauthorization import reconcile as reconciling

CUT = "/oauth/deauthorize"
ACCOUNT = "/v1/accounts/"
A_DAY, A_MONTH = timedelta(days=1), timedelta(days=30)
AT_ONCE = 6


@pytest.fixture(autouse=True)
def _set_up(platform):
    """Every story here has a platform."""


@pytest.fixture(name="at_once")
def _at_once(app):
    """Reconciles in several runs that begin in the same moment; returns their reports."""

    def at_once(**options):
        ready = threading.Barrier(AT_ONCE)

        def run(_):
            with app.app_context():
                ready.wait()
                return reconciling.reconcile(app.extensions["stripe"], **options)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            reports = list(pool.map(run, range(AT_ONCE)))
        db.session.rollback()
        return reports

    return at_once


def now():
    db.session.rollback()
    moment = db.session.scalar(select(database_now()))
    db.session.rollback()
    return moment


def add(row):
    with transaction() as session:
        session.add(row)
    return row


@pytest.fixture(name="debt")
def _debt(stripe):
    """Owes Stripe the disconnection of an account."""

    def debt(account="acct_1", **attributes):
        given = {"livemode": False, "client_id": stripe.settings["stripe-test-client-id"]}
        return add(StripeDeauthorization(stripe_user_id=account, **{**given, **attributes}))

    return debt


@pytest.fixture(name="attempt")
def _attempt(event):
    """An attempt to link the event that has not finished; *age* is how long its time is over."""

    def attempt(age=timedelta(seconds=1)):
        moment = now() - age
        return add(
            StripeLinkAttempt(
                event_id=event.id,
                stripe_auth_code="d" * 64,
                livemode=False,
                state_checked=False,
                started_at=moment - timedelta(seconds=30),
                expires_at=moment,
            )
        )

    return attempt


def told(stripe) -> list[str]:
    return [each["form"]["stripe_user_id"] for each in stripe.asked(CUT)]


def test_an_attempt_whose_time_is_over_is_closed_as_interrupted(reconcile, attempt):
    row = attempt()

    report = reconcile()

    db.session.refresh(row)
    assert (report.closed, row.outcome) == (1, "interrupted")


def test_an_attempt_under_way_is_left_alone(reconcile, attempt):
    row = attempt(age=timedelta(seconds=-60))

    report = reconcile()

    db.session.refresh(row)
    assert (report.closed, row.outcome) == (0, None)


def test_an_interrupted_attempt_is_reported_once(reconcile, attempt, event):
    attempt()

    (problem,) = reconcile().problems

    assert f"event {event.id} " in problem
    assert reconcile().problems == []


def test_what_is_owed_is_paid(reconcile, debt, stripe):
    stripe.connect(stripe.accounts[0])
    row = debt(stripe.accounts[0])

    report = reconcile()

    db.session.refresh(row)
    assert (report.delivered, report.pending, report.problems) == (1, 0, [])
    assert row.done_at is not None
    assert stripe.connections() == set()


def test_by_hand_a_debt_is_tried_whatever_its_back_off(reconcile, debt, stripe):
    debt(next_try_at=now() + A_DAY)

    assert reconcile(only_due=True).pending == 1
    assert told(stripe) == []
    assert reconcile().delivered == 1


def test_what_cannot_be_paid_stays_pending_and_is_no_persons_business(reconcile, debt, stripe):
    debt()
    stripe.fault("deauthorize-500", on="deauthorize")

    report = reconcile()

    assert (report.delivered, report.pending, report.problems) == (0, 1, [])


def test_a_debt_to_an_unknown_application_needs_a_person_until_it_is_paid(reconcile, debt, stripe):
    row = debt(client_id="ca_unknown")
    (problem,) = reconcile().problems
    assert "acct_1" in problem and "ca_unknown" in problem
    with transaction() as session:
        session.get_one(StripeDeauthorization, row.id).client_id = stripe.settings[
            "stripe-test-client-id"
        ]

    assert reconcile().problems == []


def test_a_stripe_that_does_not_answer_is_not_asked_again_and_again(app, make, debt, stripe):
    with app.app_context():
        for number in range(10):
            debt(f"acct_{number}")
    stripe.fault("hang", on="deauthorize")
    impatient = type(app.extensions["stripe"])(
        connect_url=stripe.url, api_url=stripe.url, timeout=0.2, bulkhead=Bulkhead(5)
    )

    report = reconciling.reconcile(impatient)

    assert report.pending == 10
    assert len(told(stripe)) == reconciling.PATIENCE


class TestLeaseOfADeadProcess:
    """A process died while it told Stripe to disconnect an account."""

    @pytest.fixture(name="left")
    def _left(self, debt, stripe):
        """What it left behind: a lease that goes on for another moment."""
        stripe.connect(stripe.accounts[0])
        return debt(stripe.accounts[0], tries=1, claimed_until=now() + timedelta(seconds=1.5))

    def test_reconciling_waits_until_it_ends_and_then_delivers(self, reconcile, left, stripe):
        report = reconcile()

        assert (report.delivered, report.pending, report.in_delivery) == (1, 0, 0)
        assert stripe.connections() == set()

    def test_several_runs_wait_and_one_delivers(self, at_once, left, stripe):
        reports = at_once()

        assert told(stripe) == [stripe.accounts[0]]
        assert {report.pending for report in reports} == {0}

    def test_what_is_due_is_not_waited_for_but_reported(self, reconcile, left, stripe):
        report = reconcile(only_due=True)

        assert (report.delivered, report.in_delivery, report.problems) == (0, 1, [])
        assert told(stripe) == []

    def test_a_process_that_comes_back_with_a_failure_was_the_try_of_this_run(
        self, app, reconcile, left, stripe
    ):
        left_id = left.id  # read here: the row belongs to this thread's session

        def come_back():
            with app.app_context(), transaction() as session:
                row = session.get_one(StripeDeauthorization, left_id)
                row.claimed_until, row.error_code = None, "stripe-timeout"

        timer = threading.Timer(0.5, come_back)
        timer.start()
        report = reconcile()
        timer.join()

        assert (report.delivered, report.pending) == (0, 1)
        assert told(stripe) == []

    def test_waiting_is_bound(self, app, debt, stripe):
        debt(tries=1, claimed_until=now() + A_DAY)
        hurried = type(app.extensions["stripe"])(
            connect_url=stripe.url, api_url=stripe.url, timeout=-9.0, bulkhead=Bulkhead(5)
        )

        assert reconciling.reconcile(hurried).in_delivery == 1


def test_many_runs_at_once_tell_stripe_each_thing_once(at_once, debt, attempt, stripe):
    accounts = [f"acct_{number}" for number in range(20)]
    for account in accounts:
        debt(account)
    attempt()

    reports = at_once()

    assert sorted(told(stripe)) == sorted(accounts)
    assert sum(report.closed for report in reports) == 1
    assert sum(len(report.problems) for report in reports) == 1


def test_a_run_does_not_try_what_has_failed_for_another_since_it_began(reconcile, debt, stripe):
    for number in range(3):
        debt(f"acct_{number}")
    stripe.fault("deauthorize-500", on="deauthorize")

    def let_another_run_in(label, items):
        if label == "Deauthorizations":
            reconcile()
        return items

    reconcile(track=let_another_run_in)

    assert sorted(told(stripe)) == ["acct_0", "acct_1", "acct_2"]


def test_accounts_are_looked_at(reconcile, make, event, stripe):
    stripe.connect(stripe.accounts[0])
    link = make.link(event, stripe_user_id=stripe.accounts[0])

    report = reconcile()

    db.session.refresh(link)
    assert (report.refreshed, link.account_status) == (1, "active")


def test_a_link_that_stripe_has_ended_is_erased_and_told(reconcile, make, event, stripe):
    link = make.link(event, client_id=stripe.settings["stripe-test-client-id"])

    report = reconcile()

    assert report.disconnected == [link.stripe_user_id]
    assert db.session.scalars(select(StripeAuthorization)).all() == []


def use_key(key):
    with transaction() as session:
        session.get_one(Setting, 1).stripe_test_secret_key = key


@pytest.mark.parametrize(
    "break_it",
    [
        lambda stripe: use_key(stripe.other_platform()["secret_key"]),
        lambda stripe: use_key("sk_test_revokedrevokedrevoked"),
        lambda stripe: stripe.fault("account-deleted", on="accounts"),
    ],
    ids=["another platform's key", "a revoked key", "a deleted account"],
)
def test_where_stripe_does_not_let_us_see_an_account_nobody_is_unlinked_and_a_person_is_needed(
    reconcile, make, event, stripe, break_it
):
    account, client_id = stripe.accounts[0], stripe.settings["stripe-test-client-id"]
    stripe.connect(account)
    link = make.link(event, stripe_user_id=account, client_id=client_id)
    reconcile()
    with transaction() as session:
        session.get_one(StripeAuthorization, link.id).account_checked_at = None
    break_it(stripe)

    report = reconcile()

    db.session.refresh(link)
    assert link.account_status == "unknown"
    (problem,) = report.problems
    assert account in problem


@pytest.mark.parametrize(
    ("status", "old", "fresh"),
    [
        ("active", A_DAY * 1.1, A_DAY * 0.9),
        ("unknown", timedelta(minutes=16), timedelta(minutes=14)),
    ],
)
def test_what_is_due_was_not_asked_for_since_yesterday_or_is_not_known_and_was_not_just_asked_for(
    reconcile, make, owner, stripe, status, old, fresh
):
    for account, age in zip(stripe.accounts[:2], (old, fresh), strict=True):
        stripe.connect(account)
        checked = {"account_status": status, "account_checked_at": now() - age}
        make.link(make.event(owner), stripe_user_id=account, **checked)

    report = reconcile(only_due=True)

    assert report.refreshed == 1
    assert len(stripe.asked(ACCOUNT + stripe.accounts[0])) == 1


def test_an_account_that_stripe_does_not_tell_about_counts_for_nothing(
    reconcile, make, event, stripe
):
    make.link(event, stripe_user_id=stripe.accounts[0])
    stripe.fault("account-500", on="accounts")

    assert reconcile().refreshed == 0


def test_a_secret_that_no_key_opens_is_told_once_and_stops_only_what_needs_it(
    reconcile, make, owner, debt, stripe
):
    account = stripe.accounts[0]
    stripe.connect(account, livemode=True)
    live = make.link(
        make.event(owner), livemode=True, stripe_user_id=account, account_status="unknown"
    )
    make.link(make.event(owner))
    debt("acct_of_a_test")
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        column = "sealed_stripe_test_secret_key"
        lost = Cipher([Fernet.generate_key().decode()])
        setattr(setting, column, lost.seal("sk_test_CANARY", setting.secret_context(column)))

    report = reconcile()

    told = [each for each in report.problems if "settings.sealed_stripe_test_secret_key" in each]
    assert len(told) == 1
    db.session.refresh(live)
    assert (report.refreshed, live.account_status, report.tried) == (1, "active", 1)


def test_a_run_does_not_look_at_what_another_has_looked_at_since_it_began(
    reconcile, make, owner, stripe
):
    for account in stripe.accounts:
        stripe.connect(account)
        make.link(make.event(owner), stripe_user_id=account)

    def let_another_run_in(label, items):
        if label == "Accounts":
            reconcile()
        return items

    report = reconcile(track=let_another_run_in)

    assert report.refreshed == 0
    assert [1] * len(stripe.accounts) == [
        len(stripe.asked(ACCOUNT + account)) for account in stripe.accounts
    ]


def test_what_has_served_its_time_is_deleted_and_nothing_else(
    reconcile, owner, event, debt, stripe
):
    for age in (A_MONTH * 0.9, A_MONTH * 1.1):
        add(
            StripeWebhookEvent(
                id=f"evt_{age.days}", type="x", livemode=False, received_at=now() - age
            )
        )
    for age in (A_DAY * 0.9, A_DAY * 1.1):
        debt(done_at=now() - age)
        add(EndedSession(id=f"{age}", user_id=owner.id, expires_at=now() - age + A_DAY))
        add(
            StripeAuthorizationRequest(
                state_hash=f"{age}",
                user_id=owner.id,
                event_id=event.id,
                livemode=False,
                redirect_uri="https://example.com",
                expires_at=now() - age,
            )
        )

    report = reconcile()

    assert report.purged == 4
    for model in (
        StripeWebhookEvent,
        StripeDeauthorization,
        EndedSession,
        StripeAuthorizationRequest,
    ):
        assert len(db.session.scalars(select(model)).all()) == 1, model
