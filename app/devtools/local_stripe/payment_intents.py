"""api.stripe.com: `/v1/payment_intents`, on the key's own account or the one in Stripe-Account."""

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from . import payments
from .authentication import Presented
from .callers import Caller, acting_account, identify
from .current import local_stripe
from .errors import ApiError, invalid_parameter, no_such
from .identifiers import mint
from .ledger import Account, PaymentIntent
from .lists import page
from .parameters import boolean, choice, integer, metadata, nested, only, required, text
from .payment_shape import as_stripe_shows

if TYPE_CHECKING:
    from .world import LocalStripe

blueprint = Blueprint("payment_intents", __name__, url_prefix="/v1/payment_intents")

_PARAMETERS = """
    amount currency description metadata application_fee_amount automatic_payment_methods
    payment_method_types payment_method confirm return_url receipt_email expand
"""
PARAMETERS = tuple(_PARAMETERS.split())
CONFIRMING = [
    "payment_method",
    "return_url",
    "client_secret",
    "receipt_email",
    "use_stripe_sdk",
    "expand",
]
REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
FEE_ELSEWHERE = (
    "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct "
    "payment (using an OAuth key or Stripe-Account header) or destination payment (using "
    "`transfer_data[destination]`)."
)


@blueprint.post("")
def create() -> Response:
    """Create an intent, and confirm it at once with `confirm=true`."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        caller = identify(stripe)
        account = acting_account(stripe, caller)
        given = only(nested(request.form.items(multi=True)), PARAMETERS)
        fields = read_intent(given, is_direct=account is not own_platform(caller))
        payments.check_amount(fields["amount"], fields["currency"])
        payments.check_charges(stripe, account, livemode=caller.livemode)
        intent = make(stripe, caller, account, fields)
        stripe.payment_event("payment_intent.created", intent, g.request_id)
        if boolean(given, "confirm", False):
            confirm_and_tell(stripe, intent)
        return stripe.json(as_stripe_shows(intent))


@blueprint.get("")
def list_intents() -> Response:
    """List those of the account in the key's mode, newest first."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        caller = identify(stripe)
        account = acting_account(stripe, caller)
        everything = stripe.ledger.payment_intents.values()
        return page(
            "payment_intent",
            [each for each in everything if belongs(each, account, caller)],
            as_stripe_shows,
        )


@blueprint.get("/<intent_id>")
def retrieve(intent_id: str) -> Response:
    """Return one intent; a browser needs its client secret."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        given = nested(request.args.items(multi=True))
        return stripe.json(as_stripe_shows(find(stripe, intent_id, given)))


@blueprint.post("/<intent_id>/confirm")
def confirm(intent_id: str) -> Response:
    """Pay; a browser needs the client secret."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        given = only(nested(request.form.items(multi=True)), CONFIRMING)
        intent = find(stripe, intent_id, given)
        confirm_and_tell(stripe, intent, text(given, "payment_method"), text(given, "return_url"))
        return stripe.json(as_stripe_shows(intent))


@blueprint.post("/<intent_id>/cancel")
def cancel(intent_id: str) -> Response:
    """Cancel an intent that is not paid."""
    stripe = local_stripe()
    with stripe.ledger.lock:
        given = only(nested(request.form.items(multi=True)), ("cancellation_reason", "expand"))
        reason = choice(given, "cancellation_reason", REASONS, REASONS[0])
        intent = find(stripe, intent_id, {})
        named = reason if "cancellation_reason" in given else None
        event = payments.cancel(intent, named, stripe.clock.real())
        stripe.payment_event(event, intent, g.request_id)
        return stripe.json(as_stripe_shows(intent))


def confirm_and_tell(
    stripe: "LocalStripe",
    intent: PaymentIntent,
    method: str | None = None,
    return_url: str | None = None,
) -> None:
    """Confirm, and send the webhook, also where the card was declined."""
    try:
        event = payments.confirm(stripe, intent, method, return_url)
    except payments.CardDeclined:
        stripe.payment_event("payment_intent.payment_failed", intent, g.request_id)
        raise
    stripe.payment_event(event, intent, g.request_id)


def own_platform(caller: Caller) -> Account | None:
    """Return the platform for its own account; an OAuth token's account is a connected one."""
    return caller.own_account if caller.application is not None else None


def belongs(intent: PaymentIntent, account: Account, caller: Caller) -> bool:
    return (intent.account_id, intent.livemode) == (account.id, caller.livemode)


def find(stripe: "LocalStripe", intent_id: str, given: dict[str, Any]) -> PaymentIntent:
    """Return the account's intent of this id; with a publishable key only by its secret."""
    intent = stripe.ledger.payment_intents.get(intent_id)
    key = Presented.read(request).key or ""
    application = stripe.ledger.application_of_publishable_key(key)
    if application is not None:
        named = request.headers.get("Stripe-Account", application.owner)
        scope = (named, application.livemode, required(given, "client_secret"))
        if intent and scope == (intent.account_id, intent.livemode, intent.client_secret):
            return intent
        raise no_such("payment_intent", intent_id, "intent")
    caller = identify(stripe)
    account = acting_account(stripe, caller)
    if intent is None or not belongs(intent, account, caller):
        raise missing(intent, intent_id, caller)
    return intent


def missing(intent: PaymentIntent | None, intent_id: str, caller: Caller) -> ApiError:
    """Return the 404, with Stripe's hint where only the mode is wrong."""
    refusal = no_such("payment_intent", intent_id, "intent")
    if intent is not None and intent.livemode is not caller.livemode:
        its, yours = ("live", "test") if intent.livemode else ("test", "live")
        refusal.body["error"]["message"] += (
            f"; a similar object exists in {its} mode, but a {yours} mode key was used to make "
            "this request."
        )
    return refusal


def read_intent(given: dict[str, Any], *, is_direct: bool) -> dict[str, Any]:
    """Check the parameters one by one; their combination is checked later."""
    amount = positive(required(given, "amount"), "amount")
    automatic = given.get("automatic_payment_methods")
    automatic = automatic if isinstance(automatic, dict) else {}
    if automatic and "payment_method_types" in given:
        names = "automatic_payment_methods, payment_method_types"
        message = f"You may only specify one of these parameters: {names}."
        raise invalid_parameter(message, "automatic_payment_methods")
    only(automatic, ("enabled", "allow_redirects"))
    may_redirect = choice(automatic, "allow_redirects", ("always", "never"), "always") == "always"
    method = text(given, "payment_method")
    return {
        "amount": amount,
        "currency": required(given, "currency").lower(),
        "description": text(given, "description"),
        "metadata": metadata(given),
        "application_fee_amount": read_fee(given, amount, is_direct=is_direct),
        "is_automatic": boolean(automatic, "enabled", "payment_method_types" not in given),
        "may_redirect": may_redirect,
        "payment_method": method,
        "return_url": text(given, "return_url"),
        "status": "requires_confirmation" if method else "requires_payment_method",
    }


def read_fee(given: dict[str, Any], amount: int, *, is_direct: bool) -> int | None:
    sent = text(given, "application_fee_amount")
    if sent is None:
        return None
    fee = positive(sent, "application_fee_amount")
    if not is_direct:
        raise invalid_parameter(FEE_ELSEWHERE, "application_fee_amount")
    if fee > amount:
        message = "The application fee cannot be greater than the amount of the PaymentIntent."
        raise invalid_parameter(message, "application_fee_amount")
    return fee


def positive(sent: str, name: str) -> int:
    value = integer(sent, name)
    if value < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid_parameter(message, name, "parameter_invalid_integer")
    return value


def make(
    stripe: "LocalStripe", caller: Caller, account: Account, fields: dict[str, Any]
) -> PaymentIntent:
    """Return a new intent, stored in the ledger."""
    intent_id = mint("pi_", 24)
    is_ours = account is own_platform(caller)
    intent = PaymentIntent(
        id=intent_id,
        account_id=account.id,
        livemode=caller.livemode,
        created=int(stripe.clock.real()),
        client_secret=mint(f"{intent_id}_secret_", 25),
        application=caller.application.client_id if caller.application and not is_ours else None,
        idempotency_key=request.headers.get("Idempotency-Key"),
        **fields,
    )
    stripe.ledger.payment_intents[intent_id] = intent
    return intent
