"""The two error shapes of Stripe, and the local one of the control endpoints."""

from typing import Any


class OAuthError(Exception):
    """Refused by connect.stripe.com: `error` is a string, `error_description` a sentence."""

    def __init__(self, status, error, description, **extra):
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description, **extra}


class ApiError(Exception):
    """Refused by api.stripe.com, or by the authorize page for an unknown client: an object.

    `is_saved`: whether the answer is stored under the request's Idempotency-Key.
    """

    is_saved = True

    def __init__(self, status: int, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, **fields}}


class NotExecuted(ApiError):
    """Refused before the endpoint ran: Stripe stores no answer under the Idempotency-Key."""

    is_saved = False


class ControlError(Exception):
    """A control request that cannot be understood; never Stripe's own answer."""

    def __init__(self, message, status=422):
        super().__init__(message)
        self.status = status
        self.body = {"error": message}


class ChoiceRefused(Exception):
    """An error that the authorize page shows; the application never learns of it."""


def no_authentication():
    return OAuthError(
        401,
        "invalid_client",
        "No authentication was provided. Send your secret API key using the Authorization "
        "header, or as a client_secret POST parameter.",
    )


def no_such_key(sent):
    return OAuthError(401, "invalid_client", f"No such API key: {sent}")


def no_such_application(client_id):
    return OAuthError(401, "invalid_client", f"No such application: '{client_id}'")


def not_connected(account_id):
    return OAuthError(
        401,
        "invalid_client",
        f"This application is not connected to stripe account {account_id}, "
        "or that account does not exist.",
    )


def invalid_grant(description):
    return OAuthError(400, "invalid_grant", description)


def invalid_request(description):
    return OAuthError(400, "invalid_request", description)


def invalid_parameter(message: str, param: str, code: str | None = None) -> NotExecuted:
    """Return the 400 for a parameter; *code* also names the page of Stripe's documentation."""
    return NotExecuted(400, message, type="invalid_request_error", param=param, **documented(code))


def documented(code: str | None) -> dict[str, str]:
    """
    Return the code and the URL of its documentation, as Stripe sends both; nothing without a code.
    """
    if code is None:
        return {}
    url = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
    return {"code": code, "doc_url": url}


def no_such(kind: str, identifier: str, param: str, status: int = 404) -> ApiError:
    """Return the answer for an id that names nothing that this caller may see."""
    return ApiError(
        status,
        f"No such {kind}: '{identifier}'",
        type="invalid_request_error",
        param=param,
        **documented("resource_missing"),
    )
