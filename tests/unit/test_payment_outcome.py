"""How a payment ends, decided without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from app.clients.stripe import AccountNotConnected, SavedFault
from app.errors import (
    StripeBusy,
    StripeRefused,
    StripeRejectedPlatform,
    StripeTimeout,
    StripeUnreachable,
    StripeUnreadable,
)
from app.services.payments.outcome import Verdict, is_lost, judge_failure

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def ago(**span):
    return NOW - timedelta(**span)


@pytest.mark.parametrize(
    ("error", "first", "later"),
    [
        (StripeRefused("no"), Verdict("refused"), Verdict("refused")),
        (StripeUnreachable("no"), Verdict("gone"), Verdict("unclear")),
        (StripeBusy("no"), Verdict("gone"), Verdict("unclear")),
        (StripeTimeout("no"), Verdict("unclear"), Verdict("unclear")),
        (StripeUnreadable("no"), Verdict("unclear"), Verdict("unclear")),
        (SavedFault("no"), *[Verdict("unclear", has_saved_fault=True)] * 2),
        (AccountNotConnected("a"), Verdict("gone"), Verdict("unclear", needs_person=True)),
        (StripeRejectedPlatform("no"), Verdict("gone"), Verdict("unclear", needs_person=True)),
    ],
)
def test_a_failure_frees_the_key_only_where_stripe_demonstrably_knows_nothing(error, first, later):
    assert judge_failure(error, was_sent_before=False) == first
    assert judge_failure(error, was_sent_before=True) == later


def test_a_refusal_to_list_payments_says_nothing_about_one():
    verdict = judge_failure(StripeRefused("no"), was_sent_before=True, is_look_up=True)

    assert verdict == Verdict("unclear")


def test_a_payment_is_lost_after_a_day_and_not_before():
    assert not is_lost(ago(hours=23, minutes=59), NOW)
    assert is_lost(ago(hours=24, seconds=1), NOW)
