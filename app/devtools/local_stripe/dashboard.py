"""/dashboard: what an account's owner does at Stripe without the platform being asked."""

from flask import Blueprint, redirect, render_template, request

from .current import local_stripe
from .errors import ControlError

blueprint = Blueprint("dashboard", __name__, url_prefix="/dashboard")


@blueprint.get("")
def show():
    stripe = local_stripe()
    with stripe.ledger.lock:
        accounts = [each for each in stripe.ledger.accounts.values() if not each.is_platform]
        connections = list(stripe.ledger.connections.values())
    held = {account.id: [] for account in accounts}
    for connection in connections:
        held.setdefault(connection.account.id, []).append(connection)
    return render_template(
        "dashboard.html", accounts=accounts, held=held, settings=stripe.settings(), stripe=stripe
    )


@blueprint.post("/disconnect")
def disconnect():
    local_stripe().disconnect(request.form.get("client_id"), chosen_account().id)
    return back()


@blueprint.post("/restrict")
def restrict():
    local_stripe().restrict(chosen_account(), "requirements.past_due")
    return back()


@blueprint.post("/unrestrict")
def unrestrict():
    local_stripe().restrict(chosen_account(), None)
    return back()


def chosen_account():
    account = local_stripe().ledger.accounts.get(request.form.get("account"))
    if account is None:
        raise ControlError("There is no such account.", status=404)
    return account


def back():
    return redirect("/dashboard", code=303)
