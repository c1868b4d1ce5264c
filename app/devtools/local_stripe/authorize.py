"""connect.stripe.com/oauth/authorize: the page where a person chooses an account."""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from flask import Blueprint, redirect, render_template, request

from .cast import create_account
from .current import local_stripe
from .errors import ApiError, ChoiceRefused, OAuthError
from .ledger import Application

blueprint = Blueprint("authorize", __name__)

UNKNOWN_CLIENT = "No application matches the supplied client identifier"
RESTRICTED = (
    "We've temporarily restricted Standard OAuth for this Stripe integration as a security "
    "measure. If you own this integration, please login to the Stripe Dashboard to verify your "
    "intention to continue using OAuth for Standard account creation."
)
DENIED = "The user denied your request"
OWN_ACCOUNT = "Account cannot connect to itself"
CONTROLLED = "This account is connected to another platform. Please create a new account."
OWN_FIELDS = ("account", "decision", "email", "country", "business_name")


@dataclass(frozen=True)
class Wanted:
    """An authorize request that is in order."""

    application: Application
    redirect_uri: str
    scope: str
    state: str | None

    def answer(self, **parameters):
        """Redirect back to the platform."""
        separator = "&" if "?" in self.redirect_uri else "?"
        query = urlencode(parameters, quote_via=quote)
        return redirect(self.redirect_uri + separator + query, code=303)


@blueprint.get("/oauth/authorize")
def show():
    return page(read_wanted(local_stripe()))


@blueprint.post("/oauth/authorize")
def decide():
    """`decision` is allow, deny or skip (a new account without its form); `account` an id or new.

    Everything is checked again, since the form carries the query's parameters.
    """
    stripe = local_stripe()
    wanted = read_wanted(stripe)
    decision = request.values.get("decision")
    if decision == "deny":
        return deny(stripe, wanted)
    try:
        with stripe.ledger.lock:
            account = choose_account(stripe, wanted, decision)
            now = stripe.clock.now()
            code = stripe.ledger.issue_code(wanted.application, account, wanted.scope, now)
    except ChoiceRefused as refused:
        return page(wanted, str(refused)), 400
    state = {} if wanted.state is None else {"state": wanted.state}
    return wanted.answer(scope=wanted.scope, code=code.value, **state)


def read_wanted(stripe):
    """Check the parameters; an error is shown as JSON here and never redirected."""
    values = request.values
    application = stripe.ledger.applications.get(values.get("client_id"))
    if application is None:
        raise ApiError(400, UNKNOWN_CLIENT)
    if stripe.switches["restricted_platform"]:
        raise ApiError(stripe.switches["authorize_error_status"], RESTRICTED)
    redirect_uri = check_redirect_uri(stripe, application, values.get("redirect_uri"))
    check_response_type(stripe, values.get("response_type"))
    scope = check_scope(stripe, values.get("scope") or "read_only")
    return Wanted(application, redirect_uri, scope, values.get("state"))


def refuse(stripe, error, text):
    state = request.values.get("state")
    extra = {} if state is None else {"state": state}
    return OAuthError(stripe.switches["authorize_error_status"], error, text, **extra)


def check_redirect_uri(stripe, application, uri):
    """
    Return the redirect URI: one of those registered, exactly; the first of them if none was sent.
    """
    registered = stripe.redirect_uris_of(application)
    if uri is None and registered:
        return registered[0]
    if uri not in registered:
        text = (
            f"Invalid redirect URI '{uri or ''}'. Ensure this uri exactly matches one of the "
            "uris specified in your application settings"
        )
        raise refuse(stripe, "invalid_redirect_uri", text)
    return uri


def check_response_type(stripe, response_type):
    if not response_type:
        text = stripe.switches["authorize_missing_response_type_text"]
        raise refuse(stripe, "invalid_request", text)
    if response_type != "code":
        text = stripe.switches["unsupported_response_type_text"]
        raise refuse(stripe, "unsupported_response_type", text)


def check_scope(stripe, scope):
    is_refused = scope == "read_only" and stripe.switches["platform_refuses_read_only"]
    if is_refused or scope not in ("read_only", "read_write"):
        raise refuse(stripe, "invalid_scope", stripe.switches["invalid_scope_text"])
    return scope


def deny(stripe, wanted):
    answer = {"error": "access_denied", "error_description": DENIED}
    if wanted.state is not None and not stripe.switches["deny_omits_state"]:
        answer["state"] = wanted.state
    return wanted.answer(**answer)


def choose_account(stripe, wanted, decision):
    """Return the account that was chosen or created. Raises ChoiceRefused, which the page shows."""
    if decision not in ("allow", "skip"):
        raise ChoiceRefused("Choose Connect or Cancel.")
    chosen = "new" if decision == "skip" else request.values.get("account")
    if chosen == "new":
        return new_account(stripe, wanted)
    account = stripe.ledger.accounts.get(chosen)
    if account is None:
        raise ChoiceRefused("Choose an account.")
    if account.email in stripe.ledger.platform_emails(wanted.application):
        raise ChoiceRefused(OWN_ACCOUNT)
    if account.controlled_by not in (None, wanted.application.platform):
        raise ChoiceRefused(CONTROLLED)
    return account


def new_account(stripe, wanted):
    """
    Create an account from the form, else from what the platform prefilled, else from plausible
    values.
    """
    ledger, prefill = stripe.ledger, prefilled()
    values = {name: request.values.get(name) or prefill[name] for name in prefill}
    email = values["email"] or f"new-{len(ledger.accounts)}@example.com"
    if not is_email(email):
        raise ChoiceRefused("Enter a valid e-mail address.")
    if email in ledger.platform_emails(wanted.application):
        raise ChoiceRefused(OWN_ACCOUNT)
    country = (values["country"] or "DE").upper()
    if not is_country(country):
        raise ChoiceRefused("Enter a country as two letters.")
    name = values["business_name"] or email.partition("@")[0]
    now = stripe.clock.real()
    return create_account(ledger, email=email, country=country, display_name=name, now=now)


def prefilled():
    """
    Return the prefilled `stripe_user[…]` values; invalid ones are silently ignored, as Stripe does.
    """
    email = request.values.get("stripe_user[email]", "")
    country = request.values.get("stripe_user[country]", "")
    return {
        "email": email if is_email(email) else "",
        "country": country.upper() if is_country(country) else "",
        "business_name": request.values.get("stripe_user[business_name]", "")[:100],
    }


def is_email(text):
    return re.fullmatch(r"[^@\s]+@[^@\s]+", text) is not None


def is_country(text):
    return re.fullmatch(r"[A-Za-z]{2}", text) is not None


def page(wanted, problem=None):
    stripe = local_stripe()
    with stripe.ledger.lock:
        accounts = [each for each in stripe.ledger.accounts.values() if not each.is_platform]
    return render_template(
        "authorize.html",
        wanted=wanted,
        accounts=accounts,
        hidden=[pair for pair in request.values.items(multi=True) if pair[0] not in OWN_FIELDS],
        new={name: request.values.get(name) or value for name, value in prefilled().items()},
        chosen=request.values.get("account"),
        problem=problem,
    )
