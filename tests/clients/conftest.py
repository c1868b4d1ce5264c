"""Clients under test."""

from collections.abc import Callable

import pytest

from app.clients.stripe import StripeConnect
from app.errors import StripeError
from app.security.bulkhead import Bulkhead

# Seconds for one call where a test does not say otherwise.
TIMEOUT = 1.5

MakeStripe = Callable[..., StripeConnect]


@pytest.fixture(name="make_stripe")
def _make_stripe() -> MakeStripe:
    """Make a client whose Stripe is at one address, and that has little time for a call."""

    def make(
        url: str, *, timeout: float = TIMEOUT, max_in_flight: int = 200, **options: object
    ) -> StripeConnect:
        bulkhead = Bulkhead(max_in_flight)
        return StripeConnect(
            connect_url=url, api_url=url, timeout=timeout, bulkhead=bulkhead, **options
        )

    return make


def exchange_failure(
    stripe: StripeConnect, *, code: str, secret_key: str, livemode: bool = False
) -> StripeError:
    """Exchange *code*, which must fail, and return the error."""
    with pytest.raises(StripeError) as caught, stripe.reserve():
        stripe.exchange_code(code, secret_key=secret_key, livemode=livemode)
    return caught.value
