"""api.stripe.com's `/v1/account_links`, and the page for a person that their addresses open."""

from typing import TYPE_CHECKING

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from .callers import Caller, identify, platform_of, reach
from .current import local_stripe
from .errors import ApiError
from .ledger import Account
from .onboarding import LINK_LIFETIME, AccountLink, Visit
from .parameters import nested, only, required, text, url

if TYPE_CHECKING:
    from .world import LocalStripe

blueprint = Blueprint("account_links", __name__)

PARAMETERS = ("account", "type", "return_url", "refresh_url", "collect", "collection_options")
ONBOARDING = "account_onboarding"


@blueprint.post("/v1/account_links")
def create() -> Response:
    """Create a single-use URL that opens the onboarding of an account that the platform created."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        caller = identify(stripe)
        platform_of(caller)
        given = only(nested(request.form.items(multi=True)), (*PARAMETERS, "expand"))
        account = reach(stripe, caller, required(given, "account"))
        kind = required(given, "type")
        only_https = caller.livemode and not stripe.switches["live_http_redirects"]
        return_url, refresh_url = (
            url(given, name, only_https=only_https) for name in ("return_url", "refresh_url")
        )
        refuse_others(caller, account, kind)
        link = stripe.onboarding.issue(account, return_url, refresh_url, stripe.clock.now())
    created = int(stripe.clock.real())
    address = f"{request.host_url}setup/s/{account.id}/{link.token}"
    times = {"created": created, "expires_at": created + LINK_LIFETIME}
    return stripe.json({"object": "account_link", **times, "url": address})


def refuse_others(caller: Caller, account: Account, kind: str) -> None:
    """Allow onboarding alone, of accounts that the platform created; the texts are guesses."""
    if kind != ONBOARDING:
        message = f"You cannot create `{kind}` type Account Links for this account."
        raise ApiError(400, message, type="invalid_request_error", param="type")
    if account.controlled_by is None or account.controlled_by != platform_of(caller).platform:
        message = "You cannot create Account Links for accounts that your platform did not create."
        raise ApiError(400, message, type="invalid_request_error", param="account")


@blueprint.route("/setup/s/<account_id>/<token>", methods=["GET", "POST"])
def open_link(account_id: str, token: str) -> AnyResponse:
    """The first visit uses the link up; a link that is used or too old leads to `refresh_url`.

    A POST fills the page in at once, for those who have no browser.
    """
    stripe = local_stripe()
    with stripe.ledger.lock:
        link = stripe.onboarding.link(account_id, token)
        if link is None:
            raise ApiError(404, "There is no such account link.", type="invalid_request_error")
        now = stripe.clock.now()
        if not link.is_good(now):
            return redirect(link.refresh_url, code=303)
        visit = stripe.onboarding.begin(link, now)
    if request.method == "POST":
        return fill_in(stripe, visit)
    return redirect(f"/setup/onboarding/{visit.token}", code=303)


@blueprint.get("/setup/onboarding/<token>")
def show(token: str) -> AnyResponse | str:
    """Show the form; once it was submitted, or after an hour, redirect to `refresh_url`."""
    stripe = local_stripe()
    visit = find_visit(stripe, token)
    if not stripe.onboarding.is_open(visit, stripe.clock.now()):
        return redirect(visit.link.refresh_url, code=303)
    return page(visit)


@blueprint.post("/setup/onboarding/<token>")
def send(token: str) -> AnyResponse:
    """
    Submit the form: `decision` is finish (everything is submitted) or leave (what was typed is
    kept).
    """
    stripe = local_stripe()
    return fill_in(stripe, find_visit(stripe, token))


def find_visit(stripe: "LocalStripe", token: str) -> Visit:
    visit = stripe.onboarding.visit(token)
    if visit is None:
        raise ApiError(404, "There is no such page.", type="invalid_request_error")
    return visit


def fill_in(stripe: "LocalStripe", visit: Visit) -> AnyResponse:
    """
    Store the answers. Either way the person returns to `return_url`, which does not say what was
    done.
    """
    link, decision = visit.link, request.form.get("decision")
    if decision not in ("finish", "leave"):
        return Response(page(visit, "Choose Finish or Leave."), 400, content_type="text/html")
    with stripe.ledger.lock:
        if not stripe.onboarding.is_open(visit, stripe.clock.now()):
            return redirect(link.refresh_url, code=303)
        stripe.onboarding.end(visit)
        keep_answers(link, is_finished=decision == "finish")
    stripe.account_changed(link.account)
    return redirect(link.return_url, code=303)


def keep_answers(link: AccountLink, *, is_finished: bool) -> None:
    """Keep the form's fields; `details_submitted` never goes back."""
    account, given = link.account, request.form.to_dict()
    account.email = text(given, "email") or account.email
    account.display_name = text(given, "business_name") or account.display_name
    if is_finished:
        account.display_name = account.display_name or "New business"
        account.details_submitted = True


def page(visit: Visit, problem: str | None = None) -> str:
    return render_template(
        "onboarding.html", account=visit.link.account, token=visit.token, problem=problem
    )
