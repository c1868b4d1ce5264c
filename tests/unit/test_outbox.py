"""How the rows of an outbox move. No database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.errors import StripeRejectedPlatform, StripeTimeout, StripeUnreachable
from app.models import StripeDeauthorization
from app.services import outbox
from app.services.outbox import Delivered, Outcome, back_off, judge

NOW = datetime(2027, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SENT = NOW - SECOND
FACTS = Delivered(
    now=NOW, enqueued_at=SENT - SECOND, tries=1, sent_at=SENT, sent_before=SENT - 5 * SECOND
)


def row(**attributes):
    given = {"tries": 0, "enqueued_at": SENT - SECOND, "next_try_at": SENT, **attributes}
    return StripeDeauthorization(**given)


def test_what_was_delivered_is_done_and_may_have_been_read_until_now():
    assert judge(FACTS) == Outcome(sent_at=NOW, done_at=NOW)


def test_what_was_enqueued_again_after_it_had_left_is_due_at_once():
    assert judge(replace(FACTS, enqueued_at=NOW)) == Outcome(sent_at=NOW, next_try_at=NOW)


def test_what_failed_is_due_after_a_wait():
    outcome = judge(replace(FACTS, error_code="stripe-timeout"))

    assert outcome == Outcome(
        sent_at=NOW, next_try_at=NOW + 60 * SECOND, error_code="stripe-timeout"
    )


def test_what_was_not_sent_was_not_read():
    outcome = judge(replace(FACTS, error_code="stripe-unreachable", was_sent=False))

    assert outcome.sent_at == FACTS.sent_before


@pytest.mark.parametrize(
    ("tries", "seconds"), [(0, 30), (1, 60), (2, 120), (9, 15_360), (10, 21_600), (99, 21_600)]
)
def test_each_failure_doubles_the_wait_up_to_six_hours(tries, seconds):
    assert back_off(tries) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, True),
        ({"claimed_until": NOW + SECOND}, False),
        ({"claimed_until": NOW}, True),
        ({"done_at": NOW}, False),
    ],
)
def test_a_row_is_claimable_unless_done_or_claimed(attributes, expected):
    assert outbox.is_claimable(row(**attributes), NOW) is expected


def test_a_claim_is_a_lease_beyond_the_others_time_to_answer():
    claimed = row()

    outbox.claim(claimed, NOW, timeout=20)

    assert claimed.claimed_until == NOW + timedelta(seconds=30)
    assert (claimed.tries, claimed.sent_at) == (1, NOW)


@pytest.mark.parametrize(
    ("error", "is_done", "needs_person", "sent_at"),
    [
        (None, True, False, NOW),
        (StripeTimeout("…"), False, False, NOW),
        (StripeRejectedPlatform("…"), False, True, NOW),
        (StripeUnreachable("…"), False, False, None),
    ],
)
def test_completing_ends_the_claim_whatever_came_of_it(error, is_done, needs_person, sent_at):
    claimed = row(claimed_until=NOW + SECOND)

    done = outbox.complete(claimed, NOW, sent_at=SENT, sent_before=None, error=error)

    assert (done, claimed.needs_person, claimed.sent_at) == (is_done, needs_person, sent_at)
    assert claimed.claimed_until is None
