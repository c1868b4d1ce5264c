"""What the client for Stripe gives back."""

from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["ok", "wrong-key", "wrong-client-id", "unreachable"]


class AccountNotConnected(Exception):
    """Stripe knows no connection between the platform and this account (any more)."""


@dataclass(frozen=True)
class ConnectedAccount:
    """What Stripe granted. The last three are deprecated at Stripe, and None where it sent none."""

    account_id: str
    livemode: bool
    scope: str
    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    publishable_key: str | None = None


@dataclass(frozen=True)
class AccountSnapshot:
    """
    A connected account as Stripe described it a moment ago.

    `restricted` means that it cannot take payments, or that Stripe names a reason against it.
    """

    account_id: str
    status: Literal["active", "restricted"]
    display_name: str | None
    charges_enabled: bool
    payouts_enabled: bool
    details_submitted: bool
    disabled_reason: str | None = None
    country: str | None = None
    default_currency: str | None = None


@dataclass(frozen=True)
class PlatformCheck:
    """
    Whether a secret key and a client id are right, with a sentence for the administrator.

    `unreachable` means that Stripe gave no answer to judge by. *cause* is plain text for the log.
    """

    outcome: Outcome
    detail: str
    cause: str | None = None

    @property
    def ok(self) -> bool:
        """Whether Stripe accepts the key and knows the client id as belonging to it."""
        return self.outcome == "ok"
