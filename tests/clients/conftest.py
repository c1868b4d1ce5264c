"""Clients under test, closed when their test is over."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from app.clients.stripe_connect import StripeConnect
from app.errors import StripeError

# Seconds for one call where a test does not say otherwise.
TIMEOUT = 0.7

MakeStripe = Callable[..., StripeConnect]


@pytest.fixture(name="make_stripe")
def _make_stripe() -> Iterator[MakeStripe]:
    """Make a client whose Stripe is at one address, and that has little time for a call."""
    with ExitStack() as clients:

        def make(url: str, *, timeout: float = TIMEOUT, max_in_flight: int = 200) -> StripeConnect:
            stripe = StripeConnect(
                connect_url=url, api_url=url, timeout=timeout, max_in_flight=max_in_flight
            )
            return clients.enter_context(closing(stripe))

        yield make


def exchange_failure(
    stripe: StripeConnect, *, code: str, secret_key: str, livemode: bool = False
) -> StripeError:
    """Exchange *code*, which must fail, and return the error."""
    with pytest.raises(StripeError) as caught, stripe.reserve():
        stripe.exchange_code(code, secret_key=secret_key, livemode=livemode)
    return caught.value
