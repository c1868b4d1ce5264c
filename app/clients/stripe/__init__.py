"""The client for Stripe: the only package that speaks HTTP to it."""

from app.clients.stripe.accounts import Accounts, account_form
from app.clients.stripe.oauth import OAuth
from app.clients.stripe.outcomes import (
    AccountControlled,
    AccountDeleted,
    AccountNotConnected,
    AccountUnknown,
    KeyLacksPermission,
    SavedFault,
)
from app.clients.stripe.payments import Payments, payment_intent_form
from app.clients.stripe.values import (
    AccountLink,
    AccountSnapshot,
    ConnectedAccount,
    ListedAccount,
    ListPage,
    PaymentIntent,
    PlatformCheck,
)

__all__ = [
    "AccountControlled",
    "AccountDeleted",
    "AccountLink",
    "AccountNotConnected",
    "AccountSnapshot",
    "AccountUnknown",
    "ConnectedAccount",
    "KeyLacksPermission",
    "ListPage",
    "ListedAccount",
    "PaymentIntent",
    "PlatformCheck",
    "SavedFault",
    "StripeConnect",
    "account_form",
    "payment_intent_form",
]


class StripeConnect(OAuth, Accounts, Payments):
    """
    Stripe, for any number of threads.

    *timeout* is the total of one call in seconds, connecting (at most 3 of them) included;
    *bulkhead* bounds the calls of this process at any moment; *proxy* is the `http://` address of
    a proxy to go through; each call waits for the network inside of *waiting*. Keys are arguments
    of each call, so that no call can use another's. Every failure is a StripeError or
    AccountNotConnected: with `sent` false, nothing reached Stripe. No error, nor its context, holds
    a secret.
    """
