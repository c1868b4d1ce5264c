"""Payment intents: creating, confirming, authenticating and canceling them.

The caller holds the ledger's lock. What changed is returned as the event that Stripe sends.
"""

from typing import TYPE_CHECKING, Any

from .cards import AUTHENTICATED, DECLINED, Decline, is_test_method
from .currencies import LEAST, MOST, SUPPORTED, written
from .errors import ApiError, documented, invalid_parameter, no_such
from .identifiers import mint
from .ledger import Account, PaymentIntent
from .payment_shape import CANCELABLE, as_stripe_shows

if TYPE_CHECKING:
    from .world import LocalStripe

NEEDS_RETURN_URL = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
    "Because some of these payment methods might redirect your customer off of your page, you "
    "must provide a `return_url`. If you don't want to accept redirect-based payment methods, set "
    "`automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and "
    "Payment Intents."
)
MISSING_METHOD = (
    "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
    "update the PaymentIntent with a payment method and then confirm it again, or confirm it again "
    "directly with a payment method or ConfirmationToken."
)


class CardDeclined(ApiError):
    """The payer's bank refused; the intent waits for another payment method."""


def check_amount(amount: int, currency: str) -> None:
    """Refuse unknown currencies, and amounts that are too large or too small."""
    if currency not in SUPPORTED:
        message = (
            f"Invalid currency: {currency}. Stripe currently supports these currencies: "
            f"{', '.join(SUPPORTED)}"
        )
        raise invalid_parameter(message, "currency")
    if amount > MOST:
        message = f"Amount must be no more than {written(MOST, currency)}"
        raise amount_refused(message, "amount_too_large")
    if amount < LEAST.get(currency, 1):
        message = f"Amount must be at least {written(LEAST[currency], currency)}"
        raise amount_refused(message, "amount_too_small")


def amount_refused(message: str, code: str) -> ApiError:
    kind = "invalid_request_error"
    return ApiError(400, message, type=kind, param="amount", **documented(code))


def check_charges(stripe: "LocalStripe", account: Account, *, livemode: bool) -> None:
    """Refuse accounts that cannot charge; whether Stripe's test mode is as strict is unknown."""
    is_strict = livemode or stripe.switches["test_mode_needs_charges_enabled"]
    if is_strict and not account.charges_enabled:
        raise ApiError(
            stripe.switches["charges_disabled_status"],
            stripe.switches["charges_disabled_text"],
            type="invalid_request_error",
            **documented(stripe.switches["charges_disabled_code"] or None),
        )


def confirm(
    stripe: "LocalStripe", intent: PaymentIntent, method: str | None, return_url: str | None
) -> str:
    """Pay with *method*, or the one the intent has; returns the event's type.

    Raises the 400 for what cannot be confirmed, or CardDeclined, which has changed the intent.
    """
    method, return_url = method or intent.payment_method, return_url or intent.return_url
    check_confirmable(intent, method)
    may_leave = intent.is_automatic and intent.may_redirect
    if may_leave and return_url is None and stripe.switches["confirming_needs_return_url"]:
        raise invalid_parameter(NEEDS_RETURN_URL, "return_url")
    intent.payment_method, intent.return_url = method, return_url
    if method in DECLINED:
        raise declined(intent, DECLINED[method])
    if method in AUTHENTICATED:
        intent.status = "requires_action"
        return "payment_intent.requires_action"
    return succeed(intent)


def check_confirmable(intent: PaymentIntent, method: str | None) -> None:
    if intent.status == "succeeded":
        reason = "it has already succeeded after being previously confirmed."
        raise unexpected_state(intent, f"You cannot confirm this PaymentIntent because {reason}")
    if intent.status == "canceled":
        reason = (
            "it has a status of canceled. Only a PaymentIntent with one of the following statuses "
            "may be confirmed: requires_confirmation, requires_action."
        )
        raise unexpected_state(intent, f"You cannot confirm this PaymentIntent because {reason}")
    if method is None:
        raise unexpected_state(intent, MISSING_METHOD)
    check_method(method, livemode=intent.livemode)


def check_method(name: str, *, livemode: bool) -> None:
    """Refuse test methods in live mode, which would take nothing but a real card."""
    if is_test_method(name) and not livemode:
        return
    refusal = no_such("PaymentMethod", name, "payment_method", status=400)
    if is_test_method(name):
        refusal.body["error"]["message"] += (
            "; a similar object exists in test mode, but a live mode key was used to make this "
            "request."
        )
    raise refusal


def succeed(intent: PaymentIntent) -> str:
    """Mark the intent as paid."""
    intent.status, intent.last_error = "succeeded", None
    intent.charge = mint("ch_", 24)
    return "payment_intent.succeeded"


def fail_authentication(intent: PaymentIntent) -> str:
    """Record that the payer's bank refused; another method may be tried."""
    message = (
        "The provided PaymentMethod has failed authentication. You can provide payment_method_data "
        "or a new PaymentMethod to attempt to fulfill this PaymentIntent again."
    )
    code = documented("payment_intent_authentication_failure")
    take_back(intent, {**code, "message": message, "type": "invalid_request_error"})
    return "payment_intent.payment_failed"


def declined(intent: PaymentIntent, decline: Decline) -> CardDeclined:
    """Return the intent to where it waits for a method, and return the 402."""
    intent.charge = mint("ch_", 24)
    error: dict[str, Any] = {
        "charge": intent.charge,
        **documented(decline.code),
        "message": decline.message,
        "type": "card_error",
    }
    if decline.decline_code is not None:
        error["decline_code"] = decline.decline_code
    take_back(intent, error)
    message = error["message"]
    fields = {name: value for name, value in error.items() if name != "message"}
    return CardDeclined(402, message, **fields, payment_intent=as_stripe_shows(intent))


def take_back(intent: PaymentIntent, error: dict[str, Any]) -> None:
    intent.status, intent.payment_method = "requires_payment_method", None
    intent.last_error = error


def cancel(intent: PaymentIntent, reason: str | None, now: float) -> str:
    """End an intent that is not paid yet; returns the event's type."""
    if intent.status not in CANCELABLE:
        message = (
            f"You cannot cancel this PaymentIntent because it has a status of {intent.status}. "
            "Only a PaymentIntent with one of the following statuses may be canceled: "
            f"{', '.join(CANCELABLE)}."
        )
        raise unexpected_state(intent, message)
    intent.status, intent.canceled_at, intent.cancellation_reason = "canceled", int(now), reason
    return "payment_intent.canceled"


def unexpected_state(intent: PaymentIntent, message: str) -> ApiError:
    return ApiError(
        400,
        message,
        **documented("payment_intent_unexpected_state"),
        payment_intent=as_stripe_shows(intent),
        type="invalid_request_error",
    )
