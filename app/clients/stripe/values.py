"""What the client for Stripe returns. Text in it is plain text; amounts are in minor units."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
CheckOutcome = Literal["ok", "wrong-key", "restricted-key", "wrong-client-id", "unreachable"]


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

    outcome: CheckOutcome
    detail: str
    cause: str | None = None

    @property
    def ok(self) -> bool:
        """Whether Stripe accepts the key and knows the client id as belonging to it."""
        return self.outcome == "ok"


@dataclass(frozen=True)
class ListedAccount:
    """An account in a list, by the name that we gave it in its *metadata*."""

    account_id: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class ListPage(Generic[T]):
    """A page of one of Stripe's lists, newest first; *cursor* asks for the next, None if last."""

    items: tuple[T, ...]
    cursor: str | None


@dataclass(frozen=True)
class AccountLink:
    """A page where the account's owner tells Stripe who they are. Who has the address may do so."""

    url: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class PaymentIntent:
    """A payment intent as Stripe described it a moment ago; *amount* is in minor units."""

    intent_id: str
    status: str
    amount: int
    currency: str
    livemode: bool
    created_at: datetime
    metadata: Mapping[str, str]
    client_secret: str | None = field(default=None, repr=False)
