"""Webhooks: what is believed, what it does, and that it does it once."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import stripe as public_stripe
from sqlalchemy import select

from app.clients.stripe.signatures import is_signed
from app.db.transactions import transaction
from app.extensions import db
from app.models import (
    AuditEntry,
    Setting,
    StripeAuthorization,
    StripeDeauthorization,
    StripeWebhookEvent,
)
from tests.callers import assert_error, link_document
from tests.databases import on_both, on_sqlite
from tests.webhooks import UPDATED, Webhooks, deauthorized, event, sign

pytestmark = on_sqlite

AT_ONCE = 6
KIB = 1024
ACCOUNTS = "/v1/accounts/"


@pytest.fixture(autouse=True)
def _set_up(platform):
    """Every story here has a platform."""


@pytest.fixture(name="hooks")
def _hooks(client, stripe):
    return Webhooks(client, stripe)


@pytest.fixture(name="cut")
def _cut(make, hooks):
    """A link to an account that Stripe does not know as connected (any more)."""
    return make.link(make.event(), client_id=hooks.client_id)


@pytest.fixture(name="connected")
def _connected(make, stripe, hooks):
    """A link to an account that is connected at Stripe."""
    stripe.connect(stripe.accounts[0])
    return make.link(make.event(), client_id=hooks.client_id, stripe_user_id=stripe.accounts[0])


def links_left() -> list[int]:
    db.session.rollback()
    return list(db.session.scalars(select(StripeAuthorization.id)))


def rows(model) -> list:
    db.session.rollback()
    return list(db.session.scalars(select(model)))


def linked_at(link, moment: datetime) -> None:
    with transaction() as session:
        session.get_one(StripeAuthorization, link.id).linked_at = moment


class TestDeauthorized:
    """`account.application.deauthorized`, confirmed by Stripe or not."""

    @on_both
    def test_the_link_is_erased_with_its_tokens(self, hooks, cut):
        response = hooks.send(hooks.deauthorized(cut.stripe_user_id))

        assert response.status_code == 200, response.text
        assert links_left() == []

    def test_every_link_to_the_account_in_that_mode_is_erased(self, hooks, cut, make):
        account = cut.stripe_user_id
        make.link(make.event(), client_id=hooks.client_id, stripe_user_id=account)
        live = make.link(make.event(), livemode=True, client_id="ca_2", stripe_user_id=account)
        other = make.link(make.event(), client_id=hooks.client_id)

        hooks.send(hooks.deauthorized(account))

        assert links_left() == [live.id, other.id]

    def test_it_works_in_live_mode(self, hooks, make):
        link = make.link(make.event(), livemode=True, client_id=hooks.live_client_id)

        hooks.send(hooks.deauthorized(link.stripe_user_id, livemode=True), secret=hooks.live_secret)

        assert links_left() == []

    def test_the_audit_trail_says_so_for_each_event(self, hooks, cut):
        hooks.send(hooks.deauthorized(cut.stripe_user_id))

        (entry,) = rows(AuditEntry)
        assert entry.action == "stripe-authorization.deauthorized"
        assert (entry.subject, entry.user_id) == (cut.stripe_user_id, None)
        assert entry.event_id == cut.event_id

    def test_an_account_that_is_connected_again_keeps_its_links(self, hooks, connected):
        response = hooks.send(hooks.deauthorized(connected.stripe_user_id))

        assert response.status_code == 200
        assert links_left() == [connected.id]

    def test_one_disconnected_at_stripe_by_its_owner_is_erased(self, hooks, connected, stripe):
        stripe.disconnect(connected.stripe_user_id)

        hooks.send(hooks.deauthorized(connected.stripe_user_id, created=1_500_000_000))

        assert links_left() == []

    @pytest.mark.parametrize("fault", ["account-500", "html", "429", "close-after-request"])
    def test_unconfirmed_it_erases_the_links_from_before_it(self, hooks, connected, stripe, fault):
        stripe.fault(fault, on="accounts")

        response = hooks.send(hooks.deauthorized(connected.stripe_user_id))

        assert response.status_code == 200
        assert links_left() == []

    def test_without_a_key_to_ask_with_it_is_unconfirmed(self, hooks, connected, stripe):
        with transaction() as session:
            session.get_one(Setting, 1).stripe_test_secret_key = None

        assert hooks.send(hooks.deauthorized(connected.stripe_user_id)).status_code == 200
        assert links_left() == []

    def test_unconfirmed_with_a_younger_link_it_is_to_be_sent_again(
        self, hooks, connected, make, stripe
    ):
        account = connected.stripe_user_id
        older = make.link(make.event(), client_id=hooks.client_id, stripe_user_id=account)
        moment = datetime.now(UTC).replace(microsecond=0)
        linked_at(older, moment - timedelta(seconds=1))
        linked_at(connected, moment + timedelta(seconds=1))
        told = hooks.deauthorized(account, created=int(moment.timestamp()))
        stripe.fault("account-500", on="accounts")

        assert_error(hooks.send(told), 503, "unavailable")
        assert links_left() == [connected.id]
        assert rows(StripeWebhookEvent) == []

        stripe.fault(None)
        assert hooks.send(told).status_code == 200
        assert links_left() == [connected.id]

    def test_a_link_of_the_same_second_is_not_known_to_be_older(self, hooks, connected, stripe):
        moment = datetime.now(UTC).replace(microsecond=100)
        linked_at(connected, moment)
        stripe.fault("account-500", on="accounts")

        response = hooks.send(
            hooks.deauthorized(connected.stripe_user_id, created=int(moment.timestamp()))
        )

        assert response.status_code == 503
        assert links_left() == [connected.id]

    def test_stripe_has_three_seconds_to_confirm(self, hooks, connected, stripe):
        stripe.fault("hang", on="accounts")
        began = datetime.now(UTC)

        hooks.send(hooks.deauthorized(connected.stripe_user_id))

        assert datetime.now(UTC) - began < timedelta(seconds=5)

    @on_both
    def test_while_stripe_is_busy_with_linking_it_is_to_be_sent_again(self, app, hooks, connected):
        client = app.extensions["stripe"]
        slots = [client.reserve() for _ in range(client.bulkhead.size)]
        for slot in slots:
            slot.__enter__()

        response = hooks.send(hooks.deauthorized(connected.stripe_user_id))

        for slot in slots:
            slot.__exit__(None, None, None)
        assert_error(response, 503, "stripe-busy")
        assert links_left() == [connected.id]

    def test_what_is_owed_for_the_account_is_done(self, hooks, cut):
        with transaction() as session:
            debt = StripeDeauthorization(
                stripe_user_id=cut.stripe_user_id, livemode=False, client_id=hooks.client_id
            )
            session.add(debt)

        hooks.send(hooks.deauthorized(cut.stripe_user_id))

        assert all(each.done_at for each in rows(StripeDeauthorization))

    @on_both
    def test_an_attempt_under_way_does_not_keep_what_was_cut_meanwhile(
        self, hooks, organizer, event, stripe, cut_while_exchanging
    ):
        response = cut_while_exchanging()

        assert_error(response, 502, "stripe-unreadable")
        assert links_left() == []

    @pytest.fixture(name="cut_while_exchanging")
    def _cut_while_exchanging(self, app, hooks, organizer, event, stripe):
        """Links; between exchange and keeping the owner disconnects, and Stripe tells us."""
        client = app.extensions["stripe"]
        exchange = client.exchange_code

        def exchange_and_be_cut(*args, **kwargs):
            account = exchange(*args, **kwargs)
            stripe.disconnect(account.account_id)
            assert hooks.send(hooks.deauthorized(account.account_id)).status_code == 200
            return account

        def link():
            client.exchange_code = exchange_and_be_cut
            try:
                body = link_document(event, stripe.code())
                return organizer.post("/v1/stripe-authorizations", body)
            finally:
                del client.exchange_code

        return link

    @on_both
    def test_a_link_made_while_it_was_confirmed_stays_and_is_asked_about_again(
        self, app, hooks, cut, make, monkeypatch
    ):
        client = app.extensions["stripe"]
        read_account = client.read_account

        def read_and_relink(*args, **kwargs):
            try:
                return read_account(*args, **kwargs)
            finally:
                self.fresh = make.link(
                    make.event(), client_id=hooks.client_id, stripe_user_id=cut.stripe_user_id
                )

        monkeypatch.setattr(client, "read_account", read_and_relink)

        response = hooks.send(hooks.deauthorized(cut.stripe_user_id))

        assert response.status_code == 503
        assert links_left() == [self.fresh.id]

    def test_the_client_id_of_a_former_platform_ends_its_links_alone(self, hooks, make):
        account = "acct_1"
        make.link(make.event(), client_id="ca_former", stripe_user_id=account)
        kept = make.link(make.event(), client_id=hooks.client_id, stripe_user_id=account)

        hooks.send(deauthorized(account, "ca_former"))

        assert links_left() == [kept.id]


class TestUpdated:
    """`account.updated` makes us look."""

    def test_the_status_is_what_stripe_says_now_not_what_the_event_says(
        self, hooks, connected, stripe
    ):
        stripe.control(f"accounts/{connected.stripe_user_id}", {"disabled_reason": "listed"})
        old = {"object": {"id": connected.stripe_user_id, "charges_enabled": True}}

        response = hooks.send(event(UPDATED, connected.stripe_user_id, data=old))

        db.session.refresh(connected)
        assert response.status_code == 200
        assert connected.account_status == "restricted"

    def test_if_stripe_does_not_say_the_next_reader_looks(self, hooks, connected, stripe):
        with transaction() as session:
            row = session.get_one(StripeAuthorization, connected.id)
            row.account_checked_at = datetime.now(UTC)
        stripe.fault("account-500", on="accounts")

        response = hooks.send(event(UPDATED, connected.stripe_user_id))

        db.session.refresh(connected)
        assert response.status_code == 200
        assert connected.account_checked_at is None

    def test_for_an_account_that_is_not_linked_stripe_is_not_asked(self, hooks, stripe):
        assert hooks.send(event(UPDATED, stripe.accounts[0])).status_code == 200
        assert stripe.asked(ACCOUNTS + stripe.accounts[0]) == []
        assert rows(StripeWebhookEvent) == []

    def test_the_platforms_own_account_is_nobodys(self, hooks):
        assert hooks.send(event(UPDATED, None)).status_code == 200


class TestOnce:
    """An id counts once."""

    def test_a_duplicate_is_taken_and_does_nothing(self, hooks, cut, make, stripe):
        told = hooks.deauthorized(cut.stripe_user_id)
        hooks.send(told)
        again = make.link(
            make.event(), client_id=hooks.client_id, stripe_user_id=cut.stripe_user_id
        )

        assert hooks.send(told).status_code == 200
        assert links_left() == [again.id]
        assert len(stripe.asked(ACCOUNTS + cut.stripe_user_id)) == 1

    @on_both
    def test_at_the_same_moment_too(self, hooks, cut, stripe):
        told = hooks.deauthorized(cut.stripe_user_id)
        ready = threading.Barrier(AT_ONCE)

        def deliver(_):
            ready.wait()
            return hooks.send(told).status_code

        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert list(pool.map(deliver, range(AT_ONCE))) == [200] * AT_ONCE
        assert len(rows(AuditEntry)) == 1
        assert [told["id"]] == [each.id for each in rows(StripeWebhookEvent)]

    @on_both
    def test_one_id_for_two_accounts_at_the_same_moment_counts_once(self, hooks, make):
        links = [make.link(make.event(), client_id=hooks.client_id) for _ in range(AT_ONCE)]
        ready = threading.Barrier(AT_ONCE)

        def deliver(link):
            ready.wait()
            return hooks.send(hooks.deauthorized(link.stripe_user_id, id="evt_1")).status_code

        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert list(pool.map(deliver, links)) == [200] * AT_ONCE
        assert len(links_left()) == AT_ONCE - 1


@pytest.mark.parametrize(
    ("kind", "has_account"),
    [
        ("charge.succeeded", True),
        ("some.kind.of.2030", True),
        ("payout.paid", False),
        (UPDATED, False),
        ("account.application.deauthorized", False),
    ],
)
def test_a_kind_we_do_not_know_and_an_event_without_an_account_are_ignored(
    hooks, cut, kind, has_account
):
    response = hooks.send(event(kind, cut.stripe_user_id if has_account else None))

    assert response.status_code == 200
    assert (links_left(), rows(StripeWebhookEvent)) == ([cut.id], [])


@pytest.mark.parametrize("created", [10**400, -1, 1.5, "x", None, True])
def test_when_an_event_of_no_interest_was_created_does_not_matter(hooks, created):
    assert hooks.send(event("customer.created", None, created=created)).status_code == 200


def test_without_a_client_id_of_ours_the_account_alone_tells_whose_event_it_is(hooks, cut):
    """Platforms that connect accounts by onboarding alone have none."""
    with transaction() as session:
        session.get_one(Setting, 1).stripe_test_client_id = None

    assert hooks.send(deauthorized(cut.stripe_user_id, "ca_of_the_dashboard")).status_code == 200
    assert links_left() == []


class TestSignatures:
    """Nothing changes unless a secret of ours for that mode has signed it just now."""

    @pytest.fixture(autouse=True)
    def _nothing_changes(self, cut):
        yield
        assert [cut.id] == links_left()
        assert rows(StripeWebhookEvent) == []

    @pytest.fixture(name="told")
    def _told(self, hooks, cut):
        return hooks.deauthorized(cut.stripe_user_id)

    def refused(self, response):
        assert response.status_code == 400, response.text
        return response.json["errors"][0]

    def test_a_forged_one_is_refused(self, hooks, told):
        error = self.refused(hooks.send(told, secret="whsec_of_somebody_else"))

        assert error["source"] == {"header": "Stripe-Signature"}

    @pytest.mark.parametrize("age", [302, -302, 10**9])
    def test_an_old_one_and_one_from_the_future_are_refused(self, hooks, told, age):
        at = datetime.now(UTC).timestamp() - age
        self.refused(hooks.send(told, at=max(at, 0)))

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "",
            "nonsense",
            "t=,v1=",
            "t=1",
            "v1=abc",
            "t=٣,v1=abc",
            "t=" + "9" * 5000 + ",v1=abc",
            "t=-1,v1=é",
        ],
    )
    def test_a_header_that_is_none_is_refused(self, hooks, told, header):
        header = None if header is None else header.encode().decode("latin-1")
        self.refused(hooks.send_raw(json.dumps(told), header))

    def test_another_body_under_the_same_signature_is_refused(self, hooks, told):
        payload = json.dumps(told)
        self.refused(hooks.send_raw(payload + " ", sign(payload, hooks.secret)))

    def test_the_old_scheme_does_not_count(self, hooks, told):
        payload = json.dumps(told)
        self.refused(hooks.send_raw(payload, sign(payload, hooks.secret).replace("v1=", "v0=")))

    def test_the_test_secret_does_not_vouch_for_live_events(self, hooks, make):
        live = make.link(make.event(), livemode=True, client_id=hooks.live_client_id)

        self.refused(hooks.send(hooks.deauthorized(live.stripe_user_id, livemode=True)))
        assert live.id in links_left()
        with transaction() as session:
            session.delete(session.get_one(StripeAuthorization, live.id))

    def test_without_a_secret_of_ours_nothing_is_taken(self, hooks, told):
        with transaction() as session:
            setting = session.get_one(Setting, 1)
            setting.stripe_test_webhook_secret = setting.stripe_webhook_secret = None

        self.refused(hooks.send(told))
        self.refused(hooks.send(told, secret=""))

    def test_the_client_id_of_a_stranger_changes_nothing(self, hooks, cut, stripe):
        response = hooks.send(deauthorized(cut.stripe_user_id, "ca_of_a_stranger"))

        assert response.status_code == 200
        assert stripe.asked(ACCOUNTS + cut.stripe_user_id) == []

    def test_the_client_id_of_the_other_mode_changes_nothing(self, hooks, cut):
        hooks.send(deauthorized(cut.stripe_user_id, hooks.live_client_id))

    @pytest.mark.parametrize(
        "payload",
        ["", "[]", "null", '"a"', "{", "{}", '{"a": NaN}', "[" * 5000, '{"livemode": false}'],
    )
    def test_what_is_no_event_is_refused(self, hooks, payload):
        self.refused(hooks.send(payload))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("id", None),
            ("id", ""),
            ("id", "evt_\u0000"),
            ("id", "e" * 256),
            ("id", ["evt_1"]),
            ("type", 1),
            ("account", {"id": "acct_1"}),
            ("account", "acct_\u0000"),
            ("livemode", "false"),
            ("livemode", None),
            ("created", "now"),
            ("created", True),
            ("created", 1.5),
            ("created", 10**20),
            ("created", -1),
            ("data", None),
            ("data", []),
            ("data", {"object": "ca_1"}),
            ("data", {"object": {"id": 1}}),
        ],
    )
    def test_an_event_of_another_shape_is_refused(self, hooks, told, name, value):
        self.refused(hooks.send({**told, name: value}))

    def test_a_body_over_256_kib_is_refused_before_it_is_judged(self, hooks, told):
        told["padding"] = "x" * (256 * KIB)

        assert_error(hooks.send(told), 413, "payload-too-large")


def test_a_body_of_256_kib_is_read(hooks, cut):
    told = hooks.deauthorized(cut.stripe_user_id, padding="")
    told["padding"] = "x" * (256 * KIB - len(json.dumps(told)))
    payload = json.dumps(told)

    assert len(payload) == 256 * KIB
    assert hooks.send(payload).status_code == 200


@pytest.mark.parametrize("age", [-299, 0, 299])
def test_a_signature_counts_for_five_minutes_both_ways(hooks, cut, age):
    at = datetime.now(UTC).timestamp() - age

    assert hooks.send(hooks.deauthorized(cut.stripe_user_id), at=at).status_code == 200
    assert links_left() == []


@on_both
def test_while_a_secret_is_changed_one_good_signature_of_several_is_enough(hooks, cut):
    payload = json.dumps(hooks.deauthorized(cut.stripe_user_id))
    good = sign(payload, hooks.secret)
    bad = sign(payload, "whsec_retired").partition(",")[2]

    response = hooks.send_raw(payload, f"{good},{bad},v0=abc")

    assert response.status_code == 200
    assert links_left() == []


def test_a_live_endpoint_receives_test_events_too(hooks, cut):
    hooks.send(hooks.deauthorized(cut.stripe_user_id), secret=hooks.live_secret)

    assert links_left() == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"a": "\xc3\xa9"}', b"x" * 1000])
@pytest.mark.parametrize("age", [0, 298, 302])
@pytest.mark.parametrize("tamper", [False, True])
def test_the_public_package_agrees_about_signatures(body, age, tamper):
    now = datetime.now(UTC).timestamp()
    header = sign(body.decode(), "whsec_1", now - age)
    received = body + b" " if tamper else body
    try:
        public_stripe.WebhookSignature.verify_header(received, header, "whsec_1", 300)
        theirs = True
    except public_stripe.SignatureVerificationError:
        theirs = False

    assert is_signed(received, header, "whsec_1", now=now) == theirs
