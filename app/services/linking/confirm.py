"""Confirming at Stripe an account that is connected already: chosen by its owner, or onboarded."""

from app.clients.stripe import AccountNotConnected, ConnectedAccount, StripeConnect
from app.db.reads import read_time
from app.errors import (
    Invalid,
    OnboardingIncomplete,
    ServiceError,
    StripeRefused,
    StripeRejectedPlatform,
)
from app.services.accounts import status
from app.services.linking.claim import Claim
from app.services.linking.outcome import ACCOUNT_GONE

INCOMPLETE = (
    "Stripe still needs some details about this account. Please finish at Stripe, then try again."
)
GONE = "This account was disconnected at Stripe. Please connect it with Stripe again."
DENIED = (
    "Stripe does not let this platform use the account:"
    " please ask the administrator to check the connection."
)


def confirm_account(claim: Claim, stripe: StripeConnect) -> ConnectedAccount:
    """
    Return the account of *claim* if Stripe says that it is connected and complete.

    No tokens come with it. Raises OnboardingIncomplete, StripeRefused where it was disconnected and
    its links were therefore erased, StripeRejectedPlatform where a person is needed, or another
    StripeError; nothing is spent then.
    """
    account_id = claim.account_id or ""
    try:
        snapshot = stripe.read_account(account_id, secret_key=claim.platform.secret_key)
    except (AccountNotConnected, StripeRejectedPlatform) as error:
        raise denied(account_id, claim.platform.livemode, error, stripe) from None
    if not snapshot.details_submitted:
        raise OnboardingIncomplete(INCOMPLETE)
    return ConnectedAccount(account_id, claim.platform.livemode, "read_write")


def denied(
    account_id: str,
    livemode: bool,
    error: AccountNotConnected | StripeRejectedPlatform,
    stripe: StripeConnect,
) -> ServiceError:
    """
    Record that Stripe denies the account, and return the error for the caller.

    Its links are erased only if the key that was used belongs to the platform that made them.
    """
    found = status.refresh(account_id, livemode, stripe, unless_since=read_time())
    if found.outcome == "disconnected":
        return StripeRefused(GONE)
    if found.outcome == "not-due" and isinstance(error, AccountNotConnected):
        return Invalid(ACCOUNT_GONE, field="account")  # its last link went while Stripe was asked
    return error if isinstance(error, StripeRejectedPlatform) else StripeRejectedPlatform(DENIED)
