"""
A model of what people, Stripe and crashes may do in any order, with the local Stripe as the oracle:
what we call linked is connected there, no code goes there twice, what is connected there is linked,
owed, or was lost in an attempt that its event's history shows as interrupted, and no payment is
made twice.
"""

from collections import Counter
from datetime import timedelta

import pytest
import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, select, update

from app.auth.policy import Caller
from app.db.clock import database_now
from app.db.transactions import transaction
from app.errors import ServiceError
from app.extensions import db
from app.models import (
    Event,
    PaymentIntent,
    Setting,
    StripeAccount,
    StripeAuthorization,
    StripeDeauthorization,
    StripeLinkAttempt,
)
from app.services.deauthorization.reconcile import reconcile
from app.services.linking.link import Grant, obtain_grant, store_grant
from app.services.linking.request import LinkRequest
from tests.callers import Client, document, link_document
from tests.webhooks import Webhooks

EVENTS, ACCOUNTS, ORDERS = 3, 2, 4
EXPECTED = {200, 201, 403, 404, 409, 422, 502}
LOST_ANSWERS = ("close-after-commit", "500-saved-after", "500-saved-before", "500-before")
an_event = st.integers(0, EVENTS - 1)
an_account = st.integers(0, ACCOUNTS - 1)
a_mode = st.booleans()


class World(RuleBasedStateMachine):
    """Some events, fewer accounts, both modes; set by `play`."""

    organizer: Client
    admin: Client

    def __init__(self):
        super().__init__()
        self.stripe.calm()
        with transaction() as session:
            for table in (
                StripeAuthorization,
                StripeLinkAttempt,
                StripeDeauthorization,
                StripeAccount,
                PaymentIntent,
            ):
                session.execute(delete(table))
        self.livemode = False
        self.make.platform(self.stripe)
        self.events = [self.make.event(self.owner).id for _ in range(EVENTS)]
        self.codes = []  # codes that were used, each with its event
        self.grants = []  # of processes that died, or are late
        self.lost = set()  # (account, livemode) that only an interrupted attempt knows
        self.onboardings = []  # each with its page at Stripe, its state and its event
        self.told = []  # webhooks on their way
        self.asked = {}  # (event, order) → what was asked for first

    @rule(event=an_event, account=an_account, livemode=a_mode)
    def link(self, event, account, livemode):
        code = self.new_code(event, account, livemode)
        self.check(self.post(event, code))

    @rule(event=an_event, account=an_account)
    def link_well(self, event, account):
        code = self.new_code(event, account, self.livemode)
        self.check(self.post(event, code))

    @rule(event=an_event, choice=st.integers(0, 20))
    def replay(self, event, choice):
        """A code that was used before, for its event or another."""
        if self.codes:
            code = self.codes[choice % len(self.codes)]
            self.check(self.post(event, code))

    @rule(event=an_event, account=an_account)
    def relink(self, event, account):
        for link in self.links(event):
            code = self.new_code(event, account, self.livemode)
            body = document("stripe-authorization", link.id, stripe_auth_code=code)
            self.check(self.organizer.patch(f"/v1/stripe-authorizations/{link.id}", body))

    @rule(event=an_event, choice=st.integers(0, 20), again=st.booleans())
    def use_account(self, event, choice, again):
        """Link, or relink, an account that was connected before: one's own, or a made-up one."""
        own = self.organizer.get("/v1/stripe-accounts").json["data"]
        ids = [each["id"] for each in own] + ["acct_1MadeUp"]
        linkage = {"account": {"type": "stripe-account", "id": ids[choice % len(ids)]}}
        for link in self.links(event) if again else ():
            body = document("stripe-authorization", link.id, linkage)
            self.check(self.organizer.patch(f"/v1/stripe-authorizations/{link.id}", body))
        linkage["event"] = {"type": "event", "id": str(self.events[event])}
        body = document("stripe-authorization", None, linkage)
        self.check(self.organizer.post("/v1/stripe-authorizations", body))

    @rule(event=an_event, fault=st.sampled_from([None, "close-after-commit", "500-saved-after"]))
    def begin_onboarding(self, event, fault):
        """Ask for an account of one's own; an answer may be lost on the way."""
        self.choose_method("onboarding")
        if fault is not None:
            self.stripe.fault(fault, on="create-account", times=1)
        linkage = {"event": {"type": "event", "id": str(self.events[event])}}
        body = document("stripe-authorization-request", None, linkage)
        response = self.organizer.post("/v1/stripe-authorization-requests", body)
        self.check(response)
        if response.status_code == 201:
            begun = response.json["data"]["attributes"]
            self.onboardings.append((begun["authorize-url"], begun["state"], self.events[event]))
        self.choose_method("oauth")

    @rule(choice=st.integers(0, 20), is_finished=st.booleans())
    def come_back(self, choice, is_finished):
        """Fill the account in at Stripe, or not, and come back; the state may be an old one."""
        if not self.onboardings:
            return
        url, state, event_id = self.onboardings[choice % len(self.onboardings)]
        if is_finished:
            requests.post(url, data={"decision": "finish"}, allow_redirects=False, timeout=10)
        linkage = {"event": {"type": "event", "id": str(event_id)}}
        body = document("stripe-authorization", None, linkage, state=state)
        self.check(self.organizer.post("/v1/stripe-authorizations", body))

    @rule(
        event=an_event,
        order=st.integers(1, ORDERS),
        amount=st.sampled_from([500, 1999]),
        fault=st.sampled_from([None, None, *LOST_ANSWERS]),
    )
    def pay(self, event, order, amount, fault):
        """Ask for a payment, perhaps for an order that was paid; an answer may be lost."""
        event_id = self.events[event]
        if fault is not None:
            self.stripe.fault(fault, on="create-payment-intent", times=1)
        body = document(
            "payment-intent",
            None,
            {"event": {"type": "event", "id": str(event_id)}},
            amount=amount,
            currency="EUR",
            idempotency_key=f"order-{order}",
        )
        response = self.admin.post("/v1/payment-intents", body)
        self.check(response)
        if response.status_code in (200, 201):
            shown = response.json["data"]["attributes"]
            first = self.asked.setdefault((event_id, order), shown["stripe-payment-intent-id"])
            assert shown["stripe-payment-intent-id"] == first
            assert shown["amount"] == amount

    @rule(event=an_event)
    def unlink(self, event):
        for link in self.links(event):
            self.check(self.organizer.delete(f"/v1/stripe-authorizations/{link.id}"))

    @rule(event=an_event)
    def delete_event(self, event):
        response = self.organizer.delete(f"/v1/events/{self.events[event]}")
        self.check(response)
        if response.status_code == 200:
            self.events[event] = self.make.event(self.owner).id

    @rule()
    def switch_mode(self):
        self.livemode = not self.livemode
        with transaction() as session:
            session.get_one(Setting, 1).stripe_mode = "production" if self.livemode else "debug"

    @rule(event=an_event)
    def switch_payment(self, event):
        with transaction() as session:
            row = session.get_one(Event, self.events[event])
            row.can_pay_by_stripe = not row.can_pay_by_stripe

    @rule(event=an_event, account=an_account)
    def crash(self, event, account):
        """The process dies when Stripe has answered; some time later the attempt is over."""
        code = self.new_code(event, account, self.livemode)
        wanted = LinkRequest(
            event=str(self.events[event]),
            caller=Caller(id=self.owner.id),
            code=code,
            state=None,
            state_required=False,
            timeout=20,
        )
        try:
            grant = obtain_grant(wanted, self.service)
        except ServiceError:
            return
        finally:
            db.session.rollback()
        if isinstance(grant, Grant):
            self.lost.add((grant.account.account_id, grant.account.livemode))
            self.grants.append(grant)

    @rule()
    def time_passes(self):
        """What goes on is over, what is claimed is free again, what waits is due."""
        long_ago = db.session.scalar(select(database_now())) - timedelta(seconds=1)
        with transaction() as session:
            session.execute(
                update(StripeLinkAttempt)
                .where(StripeLinkAttempt.finished_at.is_(None))
                .values(expires_at=long_ago)
            )
            session.execute(
                update(PaymentIntent)
                .where(PaymentIntent.claimed_until.is_not(None))
                .values(claimed_until=long_ago)
            )

    @rule(choice=st.integers(0, 20))
    def answer_late(self, choice):
        """A process that was believed dead comes back with its grant."""
        if not self.grants:
            return
        grant = self.grants.pop(choice % len(self.grants))
        try:
            store_grant(grant, self.service)
        except ServiceError as error:
            assert error.status < 500 or error.code == "stripe-unreadable", error
        db.session.rollback()

    @rule(account=an_account, livemode=a_mode)
    def disconnect_at_stripe(self, account, livemode):
        """The account's owner cuts us off; the webhook comes when it comes."""
        account_id = self.stripe.accounts[account]
        if (account_id, livemode) in self.connected():
            disconnect(self.stripe, account_id, livemode)
            self.told.append(self.hooks.deauthorized(account_id, livemode=livemode))

    @rule(choice=st.integers(0, 20), again=st.booleans())
    def deliver(self, choice, again):
        """Stripe delivers a webhook, in any order; some come twice."""
        if not self.told:
            return
        told = self.told[choice % len(self.told)]
        secret = self.hooks.live_secret if told["livemode"] else self.hooks.secret
        assert self.hooks.send(told, secret=secret).status_code == 200
        if not again:
            self.told.remove(told)

    @rule()
    def be_deaf(self):
        """Stripe does not take accounts back for a while."""
        self.stripe.fault("500-before", on="deauthorize")

    @rule()
    def put_right(self):
        self.stripe.fault(None)
        reconcile(self.service)
        db.session.rollback()

    @invariant()
    def what_is_linked_is_connected(self):
        unheard = {(each["account"], each["livemode"]) for each in self.told}
        linked = {(row.stripe_user_id, row.livemode) for row in self.all_links()}
        assert linked - unheard <= self.connected()

    @invariant()
    def no_user_has_two_unfinished_accounts_for_an_event_and_mode(self):
        """What was created at Stripe is known here, or its row still asks for it."""
        rows = self.onboarded_rows()
        unfinished = [
            (row.event_id, row.livemode)
            for row in rows
            if row.finished_at is None and row.disconnected_at is None
        ]
        assert len(set(unfinished)) == len(unfinished)
        assert len(self.created_at_stripe()) <= len(rows)

    @invariant()
    def no_code_goes_to_stripe_twice(self):
        assert codes_twice(self.stripe) == []

    @invariant()
    def no_payment_is_made_twice_and_what_is_called_paid_is_there(self):
        db.session.rollback()
        rows = db.session.query(PaymentIntent).all()
        there = self.state_of_stripe()["payment_intents"]
        made = Counter(each["metadata"]["open_event_payment"] for each in there)
        assert set(made.values()) <= {1}
        created = {row.stripe_payment_intent_id for row in rows if row.outcome == "created"}
        assert created <= {each["id"] for each in there}

    @invariant()
    def what_is_connected_is_linked_owed_or_lost(self):
        linked = {(row.stripe_user_id, row.livemode) for row in self.all_links()}
        kept = {(account, mode) for account in self.created_at_stripe() for mode in (False, True)}
        debts = select(StripeDeauthorization).where(StripeDeauthorization.done_at.is_(None))
        owed = {(row.stripe_user_id, row.livemode) for row in db.session.scalars(debts)}
        self.lost &= self.connected()
        assert self.connected() <= linked | owed | self.lost | kept

    def new_code(self, event, account, livemode):
        code = self.stripe.code(self.stripe.accounts[account], livemode=livemode)
        self.codes.append(code)
        return code

    def post(self, event, code):
        return self.organizer.post(
            "/v1/stripe-authorizations", link_document(self.events[event], code)
        )

    def check(self, response):
        db.session.rollback()
        assert response.status_code in EXPECTED, response.text

    def links(self, event):
        """The link of the current mode, as a list."""
        return [
            row
            for row in self.all_links()
            if row.event_id == self.events[event] and row.livemode == self.livemode
        ]

    def choose_method(self, method):
        with transaction() as session:
            session.get_one(Setting, 1).stripe_connect_method = method

    def onboarded_rows(self):
        db.session.rollback()
        return db.session.query(StripeAccount).filter_by(origin="onboarding").all()

    def created_at_stripe(self):
        """The accounts that our platform has created there."""
        return {
            each["id"]
            for each in self.state_of_stripe()["accounts"]
            if "open_event_account" in each.get("metadata", {})
        }

    def state_of_stripe(self):
        return requests.get(f"{self.stripe.url}/_control/state", timeout=10).json()

    def all_links(self):
        db.session.rollback()
        return list(db.session.scalars(select(StripeAuthorization)))

    def connected(self):
        client_ids = {
            self.stripe.settings["stripe-test-client-id"]: False,
            self.stripe.settings["stripe-client-id"]: True,
        }
        return {
            (account, livemode)
            for client_id, livemode in client_ids.items()
            for account in self.stripe.connections(client_id)
        }

    def teardown(self):
        self.stripe.fault(None)


def codes_twice(stripe):
    answer = requests.get(f"{stripe.url}/_control/requests", timeout=10)
    return answer.json()["codes_presented_twice"]


def disconnect(stripe, account, livemode):
    body = {"account": account, "livemode": livemode}
    requests.delete(f"{stripe.url}/_control/connections", json=body, timeout=10).raise_for_status()


@pytest.fixture(name="play")
def _play(app, client, make, stripe):
    """Plays so many stories of so many steps."""
    owner = make.user()
    surroundings = {
        "owner": owner,
        "organizer": client.as_(owner),
        "admin": client.as_(make.admin()),
        "stripe": stripe,
        "make": make,
        "service": app.extensions["stripe"],
        "hooks": Webhooks(client, stripe),
    }

    def play(stories, steps, **how):
        machine = type("World", (World,), surroundings)
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=stories,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                **how,
            ),
        )

    return play


def test_a_few_stories_keep_us_and_stripe_of_one_mind(play):
    play(4, 30, derandomize=True)


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_many_stories_keep_us_and_stripe_of_one_mind(play):
    play(60, 40)
