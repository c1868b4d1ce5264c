"""What a failure says about an account that was to be created. No database, no Stripe."""

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
from app.services.onboarding.outcome import is_key_spent, was_never_sent

NOW = datetime(2027, 5, 1, 12, tzinfo=UTC)


def ago(**passed):
    return NOW - timedelta(**passed)


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
