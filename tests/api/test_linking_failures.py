"""What becomes of a link when Stripe refuses, fails, drips, floods, hangs or lies."""

import time
from contextlib import ExitStack

import pytest

from app.extensions import db
from app.models import StripeAuthorization, StripeDeauthorization, StripeLinkAttempt
from tests.callers import assert_error
from tests.databases import on_both, on_sqlite

pytestmark = on_sqlite

CODE = "/data/attributes/stripe-auth-code"
TIMEOUT = 1.5


@pytest.fixture(name="environ")
def _environ():
    return {"STRIPE_TIMEOUT": str(TIMEOUT)}


# fault, status, error code, outcome
SPENT = [
    ("no-description", 422, "stripe-refused", "refused"),
    ("error-object", 422, "stripe-refused", "refused"),
    ("unknown-error", 422, "stripe-refused", "refused"),
    ("wrong-livemode", 422, "stripe-mode-mismatch", "refused"),
    ("wrong-scope", 422, "stripe-refused", "refused"),
    ("no-account", 502, "stripe-unreadable", "failed"),
    ("wrong-mode-publishable-key", 502, "stripe-unreadable", "failed"),
    ("wrong-types", 502, "stripe-unreadable", "failed"),
    ("429", 502, "stripe-unreadable", "failed"),
    ("500-before", 502, "stripe-unreadable", "failed"),
    ("500-after", 502, "stripe-unreadable", "failed"),
    ("html", 502, "stripe-unreadable", "failed"),
    ("empty", 502, "stripe-unreadable", "failed"),
    ("truncated", 502, "stripe-unreadable", "failed"),
    ("cut-json", 502, "stripe-unreadable", "failed"),
    ("flood", 502, "stripe-unreadable", "failed"),
    ("endless", 502, "stripe-unreadable", "failed"),
    ("redirect", 502, "stripe-unreadable", "failed"),
    ("close-after-request", 502, "stripe-unreadable", "failed"),
    ("close-after-commit", 502, "stripe-unreadable", "failed"),
    ("hang", 504, "stripe-timeout", "failed"),
    ("timeout-after", 504, "stripe-timeout", "failed"),
    ("drip", 504, "stripe-timeout", "failed"),
]


@pytest.mark.parametrize(("fault", "status", "error", "outcome"), SPENT)
@on_both
def test_a_spent_code_is_told_in_time_remembered_and_never_sent_again(
    link, stripe, fault, status, error, outcome
):
    code = stripe.code()
    stripe.fault(fault, on="token")
    started = time.monotonic()

    first = link(code)

    took = time.monotonic() - started
    stripe.fault(None)
    again = link(code)
    assert_error(first, status, error, pointer=CODE)
    assert_error(again, status, error, pointer=CODE)
    assert first.json["errors"][0]["detail"] == again.json["errors"][0]["detail"]
    assert took < TIMEOUT + 2
    assert [code] == stripe.codes_seen()
    assert [outcome] == [each.outcome for each in db.session.query(StripeLinkAttempt)]
    assert db.session.query(StripeAuthorization).count() == 0


@pytest.mark.parametrize("fault", ["wrong-livemode", "wrong-scope", "wrong-mode-publishable-key"])
def test_an_account_that_came_with_a_refused_answer_is_given_back(link, stripe, fault):
    stripe.fault(fault, on="token")

    link()

    assert set() == stripe.connections()
    assert [stripe.accounts[0]] == [
        each["form"]["stripe_user_id"] for each in stripe.asked("/oauth/deauthorize")
    ]


def test_what_cannot_be_given_back_now_stays_owed(link, stripe):
    stripe.fault("wrong-scope", on="token")
    stripe.fault("500-before", on="deauthorize")

    link()

    (owed,) = db.session.query(StripeDeauthorization)
    assert stripe.accounts[0] == owed.stripe_user_id
    assert owed.done_at is None
    assert {stripe.accounts[0]} == stripe.connections()


def test_a_wrong_key_of_ours_is_the_administrators_business(link, stripe, platform):
    from app.db.transactions import transaction
    from app.models import Setting

    with transaction() as session:
        session.get_one(Setting, 1).stripe_test_secret_key = "sk_test_wrongwrongwrongwrongwrong"

    error = assert_error(link(), 502, "stripe-rejected-platform", pointer=CODE)

    assert "administrator" in error["detail"]
    assert "sk_test" not in error["detail"]


def test_a_code_of_the_other_mode_is_a_mode_mismatch_or_refused(link, stripe, make):
    make.platform(stripe, mode="production")

    response = link(stripe.code(livemode=False))

    assert_error(response, 422, "stripe-mode-mismatch", pointer=CODE)


def test_four_fields_are_enough_and_the_platforms_key_is_shown_with_the_account(
    link, stripe, client, event
):
    stripe.fault("four-field", on="token")

    assert link().status_code == 201

    attributes = client.get(f"/v1/events/{event.id}/stripe-authorization").json["data"][
        "attributes"
    ]
    assert attributes == {
        "stripe-publishable-key": stripe.settings["stripe-test-publishable-key"],
        "stripe-user-id": stripe.accounts[0],
    }


class TestUnreachable:
    """Nothing listens at the address: nothing was sent, so nothing is lost."""

    @pytest.fixture(name="environ")
    def _environ(self):
        return {"STRIPE_CONNECT_URL": "http://127.0.0.1:1"}

    def test_code_and_state_are_free_again(self, link, stripe, organizer, event):
        from tests.callers import document

        request = organizer.post(
            "/v1/stripe-authorization-requests",
            document(
                "stripe-authorization-request",
                relationships={"event": {"type": "event", "id": str(event.id)}},
            ),
        )
        code, state = stripe.code(), request.json["data"]["attributes"]["state"]

        first = link(code, state=state)
        again = link(code, state=state)

        assert_error(first, 502, "stripe-unreachable")
        assert_error(again, 502, "stripe-unreachable")
        outcomes = [each.outcome for each in db.session.query(StripeLinkAttempt)]
        assert outcomes == ["not-sent", "not-sent"]


class TestBusy:
    """Every place for a call to Stripe is taken."""

    @pytest.fixture(name="app")
    def _app(self, app):
        """An application with a single place for calls to Stripe."""
        with ExitStack() as taken:
            for _ in range(app.extensions["config"].exchanges_in_flight - 1):
                taken.enter_context(app.extensions["stripe"].reserve())
            yield app

    def test_code_and_state_are_free_and_the_answer_says_when_to_come_back(self, link, stripe, app):
        code = stripe.code()
        with app.extensions["stripe"].reserve():
            response = link(code)

        assert_error(response, 503, "stripe-busy")
        assert int(response.headers["Retry-After"]) >= 1
        assert db.session.query(StripeLinkAttempt).count() == 0
        assert link(code).status_code == 201

    def test_whoever_is_refused_anyway_is_told_why_not_that_we_are_busy(
        self, link, stripe, app, make, owner
    ):
        event = make.event(owner, can_pay_by_stripe=False)
        with app.extensions["stripe"].reserve():
            response = link(of=event)

        assert_error(response, 403, "stripe-disabled")

    def test_an_account_is_linked_again_and_again_with_a_single_place(self, link, make, owner):
        statuses = [link(of=make.event(owner)).status_code for _ in range(3)]

        assert statuses == [201, 201, 201]
