"""/dashboard: what an account's owner can do at Stripe without the platform."""

from flask import Blueprint, redirect, render_template, request

from .cards import OFFERED
from .currencies import written
from .current import local_stripe
from .errors import ControlError
from .payments import CardDeclined, cancel, confirm, fail_authentication, succeed

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


@blueprint.get("/payments")
@blueprint.get("/payments/<intent_id>")
def show_payments(intent_id=None):
    """List the payments, newest first, or show the one that a payer was sent to."""
    ledger = local_stripe().ledger
    with ledger.lock:
        everything = list(ledger.payment_intents.values())[::-1]
        accounts = dict(ledger.accounts)
    shown = [each for each in everything if intent_id in (None, each.id)]
    return render_template(
        "payments.html", intents=shown, accounts=accounts, cards=OFFERED, written=written
    )


@blueprint.post("/payments/<intent_id>")
def change_payment(intent_id):
    """`action` is confirm (with `payment_method`), authenticate, refuse or cancel."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        intent = stripe.ledger.payment_intents.get(intent_id)
        if intent is None:
            raise ControlError("There is no such payment.", status=404)
        try:
            act(stripe, intent, request.form.get("action"))
        except CardDeclined:
            stripe.payment_event("payment_intent.payment_failed", intent)
    is_awaited = request.form.get("action") in ("authenticate", "refuse") and intent.return_url
    return redirect(intent.return_url if is_awaited else "/dashboard/payments", code=303)


def act(stripe, intent, action):
    """
    Act as the payer, the bank or the account's owner. Raises ApiError where that is not possible.
    """
    if action == "confirm":
        event = confirm(stripe, intent, request.form.get("payment_method"), request.url_root)
    elif action == "cancel":
        event = cancel(intent, "requested_by_customer", stripe.clock.real())
    elif action in ("authenticate", "refuse") and intent.status == "requires_action":
        event = succeed(intent) if action == "authenticate" else fail_authentication(intent)
    else:
        raise ControlError("That cannot be done with this payment.")
    stripe.payment_event(event, intent)


def chosen_account():
    account = local_stripe().ledger.accounts.get(request.form.get("account"))
    if account is None:
        raise ControlError("There is no such account.", status=404)
    return account


def back():
    return redirect("/dashboard", code=303)
