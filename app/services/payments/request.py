"""A request for a payment, and the digest that identifies it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from app.auth.policy import Caller
from app.clients.stripe import payment_intent_form

OUR_METADATA = "open_event_payment"  # names the row, so that the intent is found at Stripe again


@dataclass(frozen=True)
class PaymentRequest:
    """
    A payment for *event* (id or identifier). Amounts are integers in the currency's minor unit.

    *currency* is None where the event's own is meant.
    """

    event: str
    caller: Caller
    amount: int
    currency: str | None
    idempotency_key: str
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    application_fee_amount: int = 0

    def digest(self) -> str:
        """Return the SHA-256 (hex) that tells a repeated request from a different one."""
        said = [
            self.amount,
            self.currency and self.currency.upper(),
            self.description,
            sorted(self.metadata.items()),
            self.application_fee_amount,
        ]
        return sha256(json.dumps(said).encode()).hexdigest()

    def form(self, currency: str, name: str) -> dict[str, str]:
        """Return what Stripe is told; *name* is what we call the payment in its metadata."""
        return payment_intent_form(
            self.amount,
            currency,
            metadata={**self.metadata, OUR_METADATA: name},
            description=self.description,
            application_fee_amount=self.application_fee_amount,
        )
