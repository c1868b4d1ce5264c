"""api.stripe.com: GET /v1/accounts/{id} and GET /v1/account."""

from dataclasses import dataclass

from flask import Blueprint, current_app, request

from .authentication import Presented
from .errors import ApiError
from .identifiers import mask
from .ledger import Account, Application

blueprint = Blueprint("accounts", __name__)

NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization "
    "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
    "https://stripe.com/docs/api#authentication for details, or we can help at "
    "https://support.stripe.com/."
)


@dataclass(frozen=True)
class Caller:
    """Whose key was sent: a platform's, or one issued for a connected account."""

    key: str
    own_account: Account
    application: Application | None = None


@blueprint.get("/v1/account")
def own_account():
    """The key's own account, or the connected one that the Stripe-Account header names."""
    stripe = current_app.extensions["local_stripe"]
    with stripe.ledger.lock:
        caller = identify(stripe)
        named = request.headers.get("Stripe-Account")
        account = reach(stripe, caller, named) if named else caller.own_account
        return stripe.json(as_stripe_shows(account))


@blueprint.get("/v1/accounts/<account_id>")
def account(account_id):
    stripe = current_app.extensions["local_stripe"]
    with stripe.ledger.lock:
        return stripe.json(as_stripe_shows(reach(stripe, identify(stripe), account_id)))


def identify(stripe):
    key = Presented.read(request).key
    if key is None:
        raise ApiError(401, NO_KEY, type="invalid_request_error")
    application = stripe.ledger.application_of_key(key)
    if application is not None:
        return Caller(key, stripe.ledger.accounts[application.owner], application)
    token = stripe.ledger.tokens.get(key)
    if token is None or not token.valid:
        message = f"Invalid API Key provided: {mask(key)}"
        raise ApiError(401, message, type="invalid_request_error")
    return Caller(key, token.connection.account)


def reach(stripe, caller, account_id):
    """The account, if the caller may read it; the 403 of a revoked access otherwise."""
    if account_id == caller.own_account.id:
        return caller.own_account
    if caller.application is None or not is_connected(stripe, caller.application, account_id):
        raise forbidden(caller.key, account_id)
    return stripe.ledger.accounts[account_id]


def is_connected(stripe, application, account_id):
    """A live connection opens the account's test mode too, to the same platform's test key."""
    ledger = stripe.ledger
    if ledger.connection(application, account_id):
        return True
    if application.livemode or not stripe.switches["live_connection_covers_test"]:
        return False
    return ledger.connection(ledger.sibling(application, True), account_id) is not None


def forbidden(key, account_id):
    return ApiError(
        403,
        f"The provided key '{mask(key)}' does not have access to account '{account_id}' "
        "(or that account does not exist). Application access may have been revoked.",
        type="invalid_request_error",
        code="account_invalid",
        doc_url="https://stripe.com/docs/error-codes/account-invalid",
    )


def as_stripe_shows(account):
    """The fields of a Standard account that a platform gets to see."""
    is_active = account.disabled_reason is None
    capability = "active" if is_active else "inactive"
    name = account.display_name
    return {
        "id": account.id,
        "object": "account",
        "business_profile": {"mcc": None, "name": name, "support_email": None, "url": None},
        "business_type": None,
        "capabilities": {"card_payments": capability, "transfers": capability},
        "charges_enabled": is_active,
        "controller": {"type": "account"},
        "country": account.country,
        "created": account.created,
        "default_currency": account.currency,
        "details_submitted": True,
        "email": account.email,
        "future_requirements": requirements(None),
        "metadata": {},
        "payouts_enabled": is_active,
        "requirements": requirements(account.disabled_reason),
        "settings": {
            "branding": {"icon": None, "logo": None, "primary_color": None},
            "dashboard": {"display_name": name, "timezone": "Etc/UTC"},
            "payments": {"statement_descriptor": name.upper()[:22]},
        },
        "type": "standard",
    }


def requirements(disabled_reason):
    due = ["individual.verification.document"] if disabled_reason else []
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": disabled_reason,
        "errors": [],
        "eventually_due": due,
        "past_due": due if disabled_reason == "requirements.past_due" else [],
        "pending_verification": [],
    }
