"""/_control: the JSON endpoints by which tests control and inspect the local Stripe."""

from flask import Blueprint, jsonify, request

from . import describe
from .cast import create_account
from .current import local_stripe
from .errors import ControlError
from .faults import KINDS
from .switches import SWITCHES

blueprint = Blueprint("control", __name__, url_prefix="/_control")

MOST_CODES = 10_000
LARGEST = 1e11


def body():
    """The JSON object of the request."""
    value = request.get_json(force=True, silent=True)
    if not isinstance(value, dict):
        raise ControlError("The body must be a JSON object.", status=400)
    return value


def known(wanted, *names):
    unknown = set(wanted) - set(names)
    if unknown:
        raise ControlError(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(names)}.")
    return wanted


@blueprint.route("/faults", methods=["GET", "POST"])
def faults():
    """`active` maps a path to the fault on it."""
    stripe = local_stripe()
    if request.method == "POST":
        wanted = body()
        if "fault" not in wanted:
            raise ControlError("fault is missing: a name, or null to end it.")
        stripe.faults.set(wanted)
    described = {name: {"meaning": kind.meaning, "on": kind.on} for name, kind in KINDS.items()}
    return jsonify(names=list(KINDS), active=stripe.faults.as_dict(), faults=described)


@blueprint.route("/clock", methods=["GET", "POST"])
def clock():
    stripe = local_stripe()
    if request.method == "POST":
        stripe.clock.advance(number(known(body(), "advance").get("advance"), "advance"))
    return jsonify(now=stripe.clock.now(), offset=stripe.clock.offset)


@blueprint.route("/requests", methods=["GET", "DELETE"])
def requests():
    log = local_stripe().requests
    if request.method == "DELETE":
        log.clear()
    return jsonify(requests=log.entries(), codes_presented_twice=log.codes_presented_twice())


@blueprint.post("/reset")
def reset():
    """Restore the initial state."""
    local_stripe().reset()
    return jsonify(reset=True)


@blueprint.route("/switches", methods=["GET", "POST"])
def switches():
    stripe = local_stripe()
    if request.method == "POST":
        stripe.switches.change(body())
    meanings = {name: switch.meaning for name, switch in SWITCHES.items()}
    return jsonify(switches=stripe.switches.as_dict(), meanings=meanings)


@blueprint.get("/state")
def state():
    """Return who is connected to what: an oracle for tests."""
    stripe = local_stripe()
    ledger = stripe.ledger
    with ledger.lock:
        return jsonify(
            applications=[describe.application(each) for each in ledger.applications.values()],
            accounts=[describe.account(each) for each in ledger.accounts.values()],
            connections=[describe.connection(each) for each in ledger.connections.values()],
            tokens=[describe.token(each) for each in ledger.tokens.values()],
            codes=[describe.code(each) for each in ledger.codes.values()],
            payment_intents=[
                describe.payment_intent(each) for each in ledger.payment_intents.values()
            ],
        )


@blueprint.post("/codes")
def codes():
    """Issue codes as a click on Connect would; `count` of them for load tests."""
    stripe = local_stripe()
    wanted = known(body(), "account", "livemode", "client_id", "scope", "count")
    count = wanted.get("count", 1)
    if type(count) is not int or not 1 <= count <= MOST_CODES:
        raise ControlError(f"count must be a whole number from 1 to {MOST_CODES}.")
    with stripe.ledger.lock:
        application, account, scope = read_grant(stripe, wanted)
        now = stripe.clock.now()
        minted = [
            stripe.ledger.issue_code(application, account, scope, now).value for _ in range(count)
        ]
    return jsonify(code=minted[0], codes=minted, account=account.id), 201


@blueprint.post("/connections")
def connections():
    """Connect an account without a code, for example to restore what a restart lost."""
    stripe = local_stripe()
    wanted = known(body(), "account", "livemode", "client_id", "scope")
    with stripe.ledger.lock:
        application, account, scope = read_grant(stripe, wanted)
        connection = stripe.ledger.connect(application, account, scope, stripe.clock.now())
        return jsonify(describe.connection(connection)), 201


@blueprint.delete("/connections")
def disconnect():
    """Disconnect an account as its owner can in the Dashboard; the webhook is sent."""
    stripe = local_stripe()
    application, account, _ = read_grant(stripe, known(body(), "account", "livemode", "client_id"))
    connection = stripe.disconnect(application.client_id, account.id)
    return jsonify(was_connected=connection is not None)


@blueprint.post("/accounts")
def accounts():
    """Add an account to choose from."""
    stripe = local_stripe()
    wanted = known(body(), "email", "country", "display_name")
    given = {name: text(wanted, name) for name in ("email", "country", "display_name")}
    with stripe.ledger.lock:
        account = create_account(stripe.ledger, now=stripe.clock.real(), **given)
    return jsonify(describe.account(account)), 201


@blueprint.post("/accounts/<account_id>")
def account(account_id):
    """
    Change an account: restrict it (`disabled_reason`; null lifts that), finish or undo its
    onboarding.
    """
    stripe = local_stripe()
    wanted = known(body(), "disabled_reason", "details_submitted")
    account = find_account(stripe, account_id)
    submitted = wanted.get("details_submitted", account.details_submitted)
    if not isinstance(submitted, bool):
        raise ControlError("details_submitted must be true or false.")
    if isinstance(wanted.get("disabled_reason"), (bool, int, float, list, dict)):
        raise ControlError("disabled_reason must be a text or null.")
    with stripe.ledger.lock:
        account.details_submitted = submitted
        account.disabled_reason = wanted.get("disabled_reason", account.disabled_reason)
    stripe.account_changed(account)
    return jsonify(describe.account(account))


def read_grant(stripe, wanted):
    """Return the application (by client id, or our own in a mode), the account and the scope."""
    scope = wanted.get("scope", "read_write")
    if scope not in ("read_only", "read_write"):
        raise ControlError("scope is read_only or read_write.")
    account = find_account(stripe, wanted.get("account", stripe.offered_accounts()[0].id))
    if "client_id" in wanted:
        application = stripe.ledger.applications.get(text(wanted, "client_id"))
        if application is None:
            raise ControlError("There is no such client_id.", status=404)
        return application, account, scope
    livemode = wanted.get("livemode", False)
    if not isinstance(livemode, bool):
        raise ControlError("livemode must be true or false.")
    return stripe.application(livemode), account, scope


def find_account(stripe, account_id):
    account = stripe.ledger.accounts.get(account_id) if isinstance(account_id, str) else None
    if account is None:
        raise ControlError(f"There is no account {account_id!r}.", status=404)
    return account


def text(wanted, name):
    value = wanted.get(name)
    if not isinstance(value, str) or not value:
        raise ControlError(f"{name} must be a text.")
    return value


def number(value, name):
    if type(value) in (int, float) and abs(value) < LARGEST:
        return value
    raise ControlError(f"{name} must be a number of seconds.")
