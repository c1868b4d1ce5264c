"""Callers of api.stripe.com: whose key it is, and which accounts it may act for."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import request

from .authentication import Presented
from .errors import NotExecuted, documented
from .identifiers import mask
from .ledger import Account, Application

if TYPE_CHECKING:
    from .world import LocalStripe

NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization "
    "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
    "https://stripe.com/docs/api#authentication for details, or we can help at "
    "https://support.stripe.com/."
)

PUBLISHABLE = (
    "This API call cannot be made with a publishable API key. Please use a secret API key. You can "
    "find a list of your API keys at https://dashboard.stripe.com/account/apikeys."
)
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?(; ?[a-z0-9_=; ]+)?")


@dataclass(frozen=True)
class Caller:
    """The owner of the key: a platform, or a connected account that it was issued for."""

    key: str
    own_account: Account
    livemode: bool
    application: Application | None = None


def identify(stripe: "LocalStripe") -> Caller:
    """Return who sent the request. Raises the 401 for a missing or unknown key."""
    key = Presented.read(request).key
    if key is None:
        raise NotExecuted(401, NO_KEY, type="invalid_request_error")
    application = stripe.ledger.application_of_key(key)
    if application is not None:
        owner = stripe.ledger.accounts[application.owner]
        return Caller(key, owner, application.livemode, application)
    if stripe.ledger.application_of_publishable_key(key) is not None:
        raise NotExecuted(
            401, PUBLISHABLE, type="invalid_request_error", **documented("secret_key_required")
        )
    token = stripe.ledger.tokens.get(key)
    if token is None or not token.valid:
        message = f"Invalid API Key provided: {mask(key)}"
        raise NotExecuted(401, message, type="invalid_request_error")
    return Caller(key, token.connection.account, token.livemode)


def acting_account(stripe: "LocalStripe", caller: Caller) -> Account:
    """Return the account that `Stripe-Account` names, else the key's own."""
    named = request.headers.get("Stripe-Account")
    return reach(stripe, caller, named) if named else caller.own_account


def platform_of(caller: Caller) -> Application:
    """Return the caller's platform; only platforms have other accounts."""
    if caller.application is None:
        message = (
            "Only Stripe Connect platforms can work with other accounts. If you specified a "
            "client_id parameter, make sure it's correct."
        )
        raise NotExecuted(403, message, type="invalid_request_error")
    return caller.application


def reach(stripe: "LocalStripe", caller: Caller, account_id: str) -> Account:
    """Return the account if the caller may act for it. Raises the 403 of revoked access."""
    if account_id == caller.own_account.id:
        return caller.own_account
    if caller.application is None or not is_connected(stripe, caller.application, account_id):
        raise forbidden(caller.key, account_id)
    return stripe.ledger.accounts[account_id]


def is_connected(stripe: "LocalStripe", application: Application, account_id: str) -> bool:
    """Return whether the caller is connected; a live connection also covers the test key's mode."""
    ledger = stripe.ledger
    if ledger.connection(application, account_id):
        return True
    if application.livemode or not stripe.switches["live_connection_covers_test"]:
        return False
    return ledger.connection(ledger.sibling(application, True), account_id) is not None


def forbidden(key: str, account_id: str) -> NotExecuted:
    """
    Return the recorded 403 for an account that the platform has no access to, or no longer has.
    """
    return NotExecuted(
        403,
        f"The provided key '{mask(key)}' does not have access to account '{account_id}' "
        "(or that account does not exist). Application access may have been revoked.",
        type="invalid_request_error",
        **documented("account_invalid"),
    )


def check_version() -> None:
    """Refuse a `Stripe-Version` that is no date, with or without a release's name."""
    version = request.headers.get("Stripe-Version")
    if version is not None and not VERSION.fullmatch(version):
        raise NotExecuted(
            400, f"Invalid Stripe API version: {version}", type="invalid_request_error"
        )
