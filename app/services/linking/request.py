"""A request to link an account, and its result."""

from dataclasses import dataclass, field
from typing import Literal

from app.auth.policy import Caller
from app.errors import Invalid
from app.models import StripeAuthorization

Method = Literal["oauth", "account", "onboarding"]
NO_SOURCE = "There is no authorization code. Please connect with Stripe first."
ONE_SOURCE = "Send either an authorization code or an account, not both."


@dataclass(frozen=True)
class LinkRequest:
    """
    A request to link *event* (id or identifier) by exactly one of *code*, *account_id* and *state*.

    A *state* may come with a code; alone it is an onboarding's. *publishable_key* is the one that
    the frontend works with. *replacing* is the id of the link that the new one replaces, and
    *replaced_account_id* the account that it must still be to, if the user was shown one. *timeout*
    is what Stripe has for its answer, in seconds; *state_required* refuses a code without a state.
    """

    event: str
    caller: Caller
    code: str | None = field(default=None, repr=False)
    account_id: str | None = None
    state: str | None = field(default=None, repr=False)
    publishable_key: str | None = None
    state_required: bool = False
    timeout: float = 20.0
    replacing: int | None = None
    replaced_account_id: str | None = None

    @property
    def method(self) -> Method:
        """How the account is to be connected. Raises Invalid unless the request says one way."""
        return choose_method(self.code, self.account_id, self.state)


def choose_method(code: str | None, account_id: str | None, state: str | None) -> Method:
    """
    Return the one way of connecting that a document asks for.

    Raises Invalid about the code if it asks for none, or for several.
    """
    if account_id is not None:
        if code is not None or state is not None:
            raise Invalid(ONE_SOURCE, field="code")
        return "account"
    if code is not None:
        return "oauth"
    if state is not None:
        return "onboarding"
    raise Invalid(NO_SOURCE, field="code")


@dataclass(frozen=True)
class LinkResult:
    """The event's link; *created* is False where it was there before this request."""

    authorization: StripeAuthorization
    created: bool
