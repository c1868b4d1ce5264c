"""What a failed call says about the account that it was to create: pure functions."""

from datetime import datetime

from app.clients.stripe import SavedFault
from app.errors import StripeError, StripeRefused
from app.services.keyed_calls import Failure


def is_key_spent(error: Failure) -> bool:
    """
    Return whether another key is needed after *error*: Stripe would only say it again.

    Whether an earlier request has made the account is then to be found out first.
    """
    return isinstance(error, StripeRefused | SavedFault)


def was_never_sent(error: Failure, sent_before: datetime | None) -> bool:
    """Return whether Stripe demonstrably has not seen the key."""
    return sent_before is None and isinstance(error, StripeError) and not error.sent
