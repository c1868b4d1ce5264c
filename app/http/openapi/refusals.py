"""What an operation refuses: what follows from its address and its right, and what is its own."""

from collections.abc import Iterator

from app import errors
from app.auth.policy import ADMIN, ANYONE, USER
from app.errors import ServiceError
from app.http.routing import Route

Refusals = tuple[type[ServiceError], ...]

STRIPE: Refusals = (
    errors.StripeRefused,
    errors.StripeModeMismatch,
    errors.StripeRejectedPlatform,
    errors.StripeUnreadable,
    errors.StripeUnreachable,
    errors.StripeBusy,
    errors.StripeTimeout,
)
LINKING: Refusals = (
    errors.StripeDisabled,
    errors.StripeNotConfigured,
    errors.LinkInProgress,
    errors.Conflict,
    errors.StateInvalid,
    errors.CodeAlreadyUsed,
    errors.OnboardingIncomplete,
    errors.NotSaved,
    *STRIPE,
)
# By method and address: what no rule below tells.
OWN: dict[str, Refusals] = {
    "POST /v1/stripe-authorizations": (errors.AlreadyLinked, *LINKING),
    "PATCH /v1/stripe-authorizations/<authorization>": LINKING,
    "PATCH /v1/events/<event>/stripe-authorization": LINKING,
    "DELETE /v1/stripe-authorizations/<authorization>": (errors.LinkInProgress, errors.Conflict),
    "DELETE /v1/events/<event>/stripe-authorization": (errors.LinkInProgress, errors.Conflict),
    "DELETE /v1/events/<event>": (errors.LinkInProgress, errors.Conflict),
    "POST /v1/stripe-authorization-requests": (
        errors.StripeNotConfigured,
        errors.Conflict,
        *STRIPE,
    ),
    "POST /v1/users-events-roles": (errors.Conflict, errors.RateLimited),
    "DELETE /v1/users-events-roles/<role>": (errors.Conflict,),
    "GET /v1/settings": (errors.Forbidden, errors.RateLimited),
    "GET /v1/settings/<setting>": (errors.Forbidden, errors.RateLimited),
    "GET /v1/users/<user>": (errors.Forbidden,),
    "POST /stripe/webhooks": (errors.StripeBusy,),
    "POST /stripe/webhooks/": (errors.StripeBusy,),
    "POST /v1/payment-intents": (
        errors.StripeDisabled,
        errors.NotLinked,
        errors.StripeNotConfigured,
        errors.IdempotencyConflict,
        errors.Conflict,
        *STRIPE,
    ),
    "PATCH /v1/payment-intents/<payment>": (errors.Conflict, *STRIPE),
    "GET /metrics": (errors.Unauthenticated,),
    "POST /auth/session": (errors.Unauthenticated, errors.RateLimited),
    "POST /v1/auth/login": (errors.Unauthenticated, errors.RateLimited),
    "POST /v1/auth/token/refresh": (errors.Unauthenticated,),
    "POST /v1/auth/logout": (errors.Unauthenticated,),
    "POST /v1/auth/fresh-login": (errors.RateLimited,),
}


def refusals_of(route: Route, address: str, method: str) -> list[type[ServiceError]]:
    """Return the errors that *method* on *address* can end in, by status."""
    found = {*_by_rule(route, address, method), *OWN.get(f"{method} {address}", ())}
    return sorted(found, key=lambda error: (error.status, error.__name__))


def _by_rule(route: Route, address: str, method: str) -> Iterator[type[ServiceError]]:
    yield from (errors.BadRequest, errors.Internal)
    if not address.startswith("/health"):
        yield errors.Unavailable
    if address.startswith("/v1/"):
        yield from (errors.NotAcceptable, errors.Unauthenticated)
    yield from _by_right(route, address, method)
    if method != "GET":
        yield from _by_body(route, address, method)


def _by_right(route: Route, address: str, method: str) -> Iterator[type[ServiceError]]:
    right = route.rights[method]
    if right.least > ANYONE:
        yield errors.Unauthenticated
    if right.least > USER or "relationships" in address and method != "GET":
        yield errors.Forbidden
    if "<" in address or (ADMIN > right.least > USER):
        yield errors.NotFound


def _by_body(route: Route, address: str, method: str) -> Iterator[type[ServiceError]]:
    if address.startswith("/v1/"):
        yield errors.UnsupportedMediaType
    if method == "DELETE":
        return
    yield from (errors.PayloadTooLarge, errors.MalformedJson)
    if method == "PATCH":
        yield errors.IdMismatch
    if address.startswith("/v1/") and not route.plain_json:
        yield from (errors.Invalid, errors.WrongType)
        yield errors.Forbidden  # an id of the client's own, where one is created
