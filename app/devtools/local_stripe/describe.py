"""The ledger's records as JSON for the control endpoints."""

from dataclasses import asdict


def application(application):
    return asdict(application)


def account(account):
    return {
        "id": account.id,
        "email": account.email,
        "country": account.country,
        "default_currency": account.currency,
        "display_name": account.display_name,
        "charges_enabled": account.charges_enabled,
        "details_submitted": account.details_submitted,
        "disabled_reason": account.disabled_reason,
        "controlled_by": account.controlled_by,
        "is_platform": account.is_platform,
        "metadata": account.metadata,
    }


def connection(connection):
    return {
        "account": connection.account.id,
        "client_id": connection.application.client_id,
        "livemode": connection.application.livemode,
        "platform": connection.application.platform,
        "scope": connection.scope,
        "refresh_token": connection.refresh_token,
        "valid_tokens": [token.value for token in connection.tokens if token.valid],
    }


def token(token):
    return {
        "access_token": token.value,
        "account": token.connection.account.id,
        "client_id": token.connection.application.client_id,
        "livemode": token.livemode,
        "scope": token.scope,
        "valid": token.valid,
    }


def code(code):
    return {
        "code": code.value,
        "account": code.account.id,
        "client_id": code.application.client_id,
        "livemode": code.application.livemode,
        "scope": code.scope,
        "used": code.used,
        "presented": code.presented,
    }


def payment_intent(intent):
    """Everything but its client secret, and with the key it was made under."""
    shown = asdict(intent)
    del shown["client_secret"]
    return shown
