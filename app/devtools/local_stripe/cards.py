"""Stripe's test payment methods, and what confirming with each of them does."""

from dataclasses import dataclass

_SUCCEEDING = """
    pm_card_visa pm_card_visa_debit pm_card_mastercard pm_card_mastercard_debit
    pm_card_mastercard_prepaid pm_card_amex pm_card_discover pm_card_diners pm_card_jcb
    pm_card_unionpay pm_card_us pm_card_at pm_card_ch pm_card_de pm_card_fr pm_card_gb
    pm_card_jp pm_card_bypassPending
"""
SUCCEEDING = tuple(_SUCCEEDING.split())
AUTHENTICATED = [
    "pm_card_authenticationRequired",
    "pm_card_authenticationRequiredOnSetup",
    "pm_card_threeDSecure2Required",
    "pm_card_threeDSecureRequired",
]


@dataclass(frozen=True)
class Decline:
    """A decline: the error's code, its decline code and its message."""

    code: str
    decline_code: str | None
    message: str


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
NO_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
DECLINED = {
    "pm_card_chargeDeclined": GENERIC,
    "pm_card_visa_chargeDeclined": GENERIC,
    "pm_card_chargeCustomerFail": GENERIC,
    "pm_card_chargeDeclinedInsufficientFunds": NO_FUNDS,
    "pm_card_visa_chargeDeclinedInsufficientFunds": NO_FUNDS,
    "pm_card_visa_chargeDeclinedLostCard": Decline(
        "card_declined", "lost_card", "Your card was declined."
    ),
    "pm_card_visa_chargeDeclinedStolenCard": Decline(
        "card_declined", "stolen_card", "Your card was declined."
    ),
    "pm_card_chargeDeclinedFraudulent": Decline(
        "card_declined", "fraudulent", "Your card was declined."
    ),
    "pm_card_chargeDeclinedExpiredCard": Decline("expired_card", None, "Your card has expired."),
    "pm_card_chargeDeclinedIncorrectCvc": Decline(
        "incorrect_cvc", None, "Your card's security code is incorrect."
    ),
    "pm_card_chargeDeclinedProcessingError": Decline(
        "processing_error",
        None,
        "An error occurred while processing your card. Try again in a little bit.",
    ),
}
OFFERED = ("pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired")


def is_test_method(name: str) -> bool:
    """Return whether it is one of Stripe's test payment methods."""
    return name in SUCCEEDING or name in AUTHENTICATED or name in DECLINED
