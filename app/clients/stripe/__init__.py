"""The client for Stripe: the only package that speaks HTTP to it."""

from app.clients.stripe.accounts import Accounts
from app.clients.stripe.oauth import OAuth
from app.clients.stripe.values import (
    AccountNotConnected,
    AccountSnapshot,
    ConnectedAccount,
    PlatformCheck,
)

__all__ = [
    "AccountNotConnected",
    "AccountSnapshot",
    "ConnectedAccount",
    "PlatformCheck",
    "StripeConnect",
]


class StripeConnect(OAuth, Accounts):
    """
    Stripe, for any number of threads.

    *timeout* is the total of one call in seconds, connecting (at most 3 of them) included;
    *bulkhead* bounds the calls of this process at any moment; *proxy* is the `http://` address of
    a proxy to go through; each call waits for the network inside of *waiting*. Keys are arguments
    of each call, so that no call can use another's. Every failure is a StripeError or
    AccountNotConnected: with `sent` false, nothing reached Stripe. No error, nor its context, holds
    a secret.
    """
