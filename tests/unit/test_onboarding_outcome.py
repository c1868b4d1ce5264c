"""What to do about an account that is asked for again: every case alone. No database, no Stripe."""

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
from app.services.onboarding.outcome import Known, is_key_spent, next_step, was_never_sent

NOW = datetime(2027, 5, 1, 12, tzinfo=UTC)


def ago(**passed):
    return NOW - timedelta(**passed)


@pytest.mark.parametrize(
    ("step", "facts"),
    [
        ("ask", {}),
        ("ask", {"first_sent_at": ago(hours=22, minutes=59)}),
        ("ask", {"first_sent_at": ago(minutes=1), "claimed_until": NOW}),
        ("look-up", {"first_sent_at": ago(hours=23, seconds=1)}),
        ("look-up", {"first_sent_at": ago(minutes=1), "is_key_spent": True}),
        ("wait", {"first_sent_at": NOW, "claimed_until": NOW + timedelta(seconds=1)}),
        ("wait", {"is_key_spent": True, "claimed_until": NOW + timedelta(seconds=1)}),
        ("known", {"account_id": "acct_1", "first_sent_at": ago(days=3)}),
    ],
)
def test_the_next_step_follows_from_what_is_known(step, facts):
    assert next_step(Known(NOW, **facts)) == step


@pytest.mark.parametrize(
    ("error", "is_spent"),
    [
        (StripeRefused("no"), True),
        (SavedFault("again"), True),
        (StripeUnreadable("?"), False),
        (StripeTimeout("late"), False),
        (StripeUnreachable("away"), False),
        (StripeBusy("full"), False),
        (StripeRejectedPlatform("key"), False),
        (AccountNotConnected("acct_1"), False),
    ],
)
def test_a_key_is_spent_where_stripe_would_only_say_the_same_again(error, is_spent):
    assert is_key_spent(error) is is_spent


def test_only_what_was_never_sent_at_all_starts_the_23_hours_anew():
    assert was_never_sent(StripeUnreachable("away"), None)
    assert not was_never_sent(StripeUnreachable("away"), ago(hours=1))
    assert not was_never_sent(StripeTimeout("late"), None)
    assert not was_never_sent(AccountNotConnected("acct_1"), None)
