"""api.stripe.com: `/v1/accounts` (create, list, read) and `/v1/account`, the key's own."""

import re
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from .account_shape import as_stripe_shows
from .callers import acting_account, identify, is_connected, platform_of, reach
from .cast import create_account
from .current import local_stripe
from .errors import ApiError, NotExecuted, documented, invalid_parameter
from .ledger import Account, Application
from .lists import page
from .parameters import choice, metadata, nested, only, text

if TYPE_CHECKING:
    from .world import LocalStripe

blueprint = Blueprint("accounts", __name__)

# Of Stripe's parameters those that a platform sends for a Standard account; others are refused.
PARAMETERS = ("type", "country", "email", "metadata", "business_type", "business_profile", "expand")
COUNTRIES = """
    AE AT AU BE BG BR CA CH CY CZ DE DK EE ES FI FR GB GI GR HK HR HU IE IN IT JP LI LT LU LV MT MX
    MY NL NO NZ PL PT RO SE SG SI SK TH US
"""
NO_COUNTRIES = ("EU", "UK")


@blueprint.get("/v1/account")
def own_account() -> Response:
    """Return the key's own account, or the connected one that the Stripe-Account header names."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        return stripe.json(as_stripe_shows(acting_account(stripe, identify(stripe))))


@blueprint.get("/v1/accounts/<account_id>")
def account(account_id: str) -> Response:
    """Return an account that the caller may act for."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        return stripe.json(as_stripe_shows(reach(stripe, identify(stripe), account_id)))


@blueprint.get("/v1/accounts")
def list_accounts() -> Response:
    """List the accounts that are connected to the platform, created by it or not, newest first."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        application = platform_of(identify(stripe))
        everything = list(stripe.ledger.accounts.values())
        connected = [each for each in everything if is_connected(stripe, application, each.id)]
        return page("account", connected, as_stripe_shows)


@blueprint.post("/v1/accounts")
def create() -> Response:
    """Create a Standard account; its owner fills in the rest at an account link."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        application = platform_of(identify(stripe))
        given = only(nested(request.form.items(multi=True)), PARAMETERS)
        fields = read_account(given)
        refuse_where_told(stripe)
        made = make_account(stripe, application, fields)
    if stripe.switches["creation_sends_event"]:
        connection = stripe.ledger.connection(application, made.id)
        stripe.webhooks.application_event("account.application.authorized", connection)
    return stripe.json(as_stripe_shows(made))


def read_account(given: dict[str, Any]) -> dict[str, Any]:
    """Check the parameters; the country of a platform is the default, here Germany."""
    choice(given, "type", ("standard",), "standard")
    profile = given.get("business_profile")
    name = profile.get("name") if isinstance(profile, dict) else None
    return {
        "country": read_country(text(given, "country", "DE") or ""),
        "email": read_email(text(given, "email")),
        "display_name": name or "",
        "metadata": metadata(given),
    }


def read_country(country: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", country) or country.upper() in NO_COUNTRIES:
        message = (
            f"Country '{country}' is unknown. Try using a 2-character alphanumeric country code "
            "instead, such as 'US', 'EG', or 'GB'."
        )
        raise invalid_parameter(message, "country", "country_code_invalid")
    if country.upper() not in COUNTRIES.split():
        message = f"{country.upper()} is not currently supported by Stripe."
        raise invalid_parameter(message, "country", "country_unsupported")
    return country.upper()


def read_email(email: str | None) -> str | None:
    if email is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", email):
        raise invalid_parameter(f"Invalid email address: {email}", "email", "email_invalid")
    return email


def refuse_where_told(stripe: "LocalStripe") -> None:
    """Refuse a platform that may not create accounts, once the endpoint runs."""
    message = stripe.switches["account_creation_refused_text"]
    if message:
        raise ApiError(400, message, type="invalid_request_error")


def make_account(
    stripe: "LocalStripe", application: Application, fields: dict[str, Any]
) -> Account:
    """Return a new account that *application* controls and is connected to."""
    now = stripe.clock.real()
    made = create_account(
        stripe.ledger,
        now=now,
        controlled_by=application.platform,
        details_submitted=False,
        **fields,
    )
    stripe.ledger.connect(application, made, "read_write", now)
    return made


def deleted(account_id: str) -> dict[str, Any]:
    """Return a deleted account, as Stripe shows it."""
    return {"id": account_id, "object": "account", "deleted": True}


def no_such_account(account_id: str) -> NotExecuted:
    """Return the 404 that a client must be able to handle, though Stripe mostly answers 403."""
    message = f"No such account: '{account_id}'"
    kind = "invalid_request_error"
    return NotExecuted(404, message, type=kind, param="account", **documented("resource_missing"))
