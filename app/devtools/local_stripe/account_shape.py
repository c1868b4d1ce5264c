"""An account as api.stripe.com shows it: the fields that a platform gets to see."""

from typing import Any

from .ledger import Account

# What a new account has to give, as an onboarding asks for it.
UNSUBMITTED = [
    "business_profile.mcc",
    "business_profile.url",
    "business_type",
    "external_account",
    "representative.first_name",
    "representative.last_name",
    "tos_acceptance.date",
    "tos_acceptance.ip",
]


def as_stripe_shows(account: Account) -> dict[str, Any]:
    """Return the account's JSON object."""
    capability = "active" if account.charges_enabled else "inactive"
    name = account.display_name or None
    return {
        "id": account.id,
        "object": "account",
        "business_profile": {"mcc": None, "name": name, "support_email": None, "url": None},
        "business_type": None,
        "capabilities": {"card_payments": capability, "transfers": capability},
        "charges_enabled": account.charges_enabled,
        "controller": controller(account),
        "country": account.country,
        "created": account.created,
        "default_currency": account.currency,
        "details_submitted": account.details_submitted,
        "email": account.email,
        "future_requirements": requirements([], None),
        "metadata": account.metadata,
        "payouts_enabled": account.charges_enabled,
        "requirements": requirements(*outstanding(account)),
        "settings": {
            "branding": {"icon": None, "logo": None, "primary_color": None},
            "dashboard": {"display_name": name, "timezone": "Etc/UTC"},
            "payments": {"statement_descriptor": name and name.upper()[:22]},
        },
        "type": "standard",
    }


def controller(account: Account) -> dict[str, Any]:
    """Return the controller: a platform's application controls the accounts that it created."""
    if account.controlled_by is None:
        return {"type": "account"}
    return {
        "fees": {"payer": "account"},
        "is_controller": True,
        "losses": {"payments": "stripe"},
        "requirement_collection": "stripe",
        "stripe_dashboard": {"type": "full"},
        "type": "application",
    }


def outstanding(account: Account) -> tuple[list[str], str | None]:
    """Return what is due and why charges are disabled."""
    if not account.details_submitted:
        return UNSUBMITTED, account.disabled_reason or "requirements.past_due"
    due = ["individual.verification.document"] if account.disabled_reason else []
    return due, account.disabled_reason


def requirements(due: list[str], disabled_reason: str | None) -> dict[str, Any]:
    """Return the object of both `requirements` and `future_requirements`."""
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
