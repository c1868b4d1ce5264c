"""Everything we refuse: an exception class per stable code, and one rendering for the whole app.

The shape of every error answer (JSON:API 1.0, "Error Objects")::

    {"errors": [{"id": "<request id>", "status": "409", "code": "already-linked",
                 "title": "Conflict", "detail": "One sentence for the reader.",
                 "source": {"pointer": "/data/relationships/event"}}],
     "jsonapi": {"version": "1.0"}}
"""

from http import HTTPStatus
from typing import Any, ClassVar


class ServiceError(Exception):
    """
    A request we refuse, or work that failed, with words for the person who asked.

    *detail* is one sentence, shown verbatim by the frontend. *field* names the value it is about,
    in the words of the services (`event`, `code`, `redirect_uri`): each door translates it, the API
    into a pointer, the console into a form error. What only a door knows is told by *pointer*,
    *parameter* or *header*. *headers* go on the answer.
    """

    status: int = 500
    code: str = "internal"
    is_plain: ClassVar[bool] = False  # told as `{"error": detail}` alone

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        pointer: str | None = None,
        parameter: str | None = None,
        header: str | None = None,
        meta: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        named = {"pointer": pointer, "parameter": parameter, "header": header}
        self.source = {name: value for name, value in named.items() if value is not None}
        self.meta = meta
        self.headers = headers or {}

    def to_error_object(self, request_id: str) -> dict[str, Any]:
        """Return the JSON:API error object."""
        error: dict[str, Any] = {
            "id": request_id,
            "status": str(self.status),
            "code": self.code,
            "title": HTTPStatus(self.status).phrase,
            "detail": self.detail,
        }
        if self.source:
            error["source"] = self.source
        if self.meta:
            error["meta"] = self.meta
        return error


class BadParameter(ServiceError):
    """A query parameter is unknown or cannot be read."""

    status, code = 400, "bad-parameter"


class BadRequest(ServiceError):
    """The HTTP request itself cannot be understood."""

    status, code = 400, "bad-parameter"


class MalformedJson(ServiceError):
    """The body is not JSON."""

    status, code = 400, "malformed-json"


class IdMismatch(ServiceError):
    """The id in the body is not the one in the URL."""

    status, code = 400, "id-mismatch"


class Unauthenticated(ServiceError):
    """There is no valid access token."""

    status, code = 401, "unauthenticated"

    def __init__(self, detail: str = "Sign in first.", **kwargs: Any) -> None:
        super().__init__(
            detail, header="Authorization", headers={"WWW-Authenticate": "JWT"}, **kwargs
        )


class Forbidden(ServiceError):
    """The caller is known and may not do this."""

    status, code = 403, "forbidden"


class StripeDisabled(ServiceError):
    """The event does not offer Stripe to its buyers."""

    status, code = 403, "stripe-disabled"


class StripeNotConfigured(ServiceError):
    """The platform's keys of the current mode are not complete."""

    status, code = 403, "stripe-not-configured"


class NotFound(ServiceError):
    """There is no such thing, or the caller may not know of it."""

    status, code = 404, "not-found"


class MethodNotAllowed(ServiceError):
    """The resource exists, this verb does not."""

    status, code = 405, "method-not-allowed"


class NotAcceptable(ServiceError):
    """The caller accepts nothing that we can send."""

    status, code = 406, "not-acceptable"


class Conflict(ServiceError):
    """What is asked for contradicts what is already so."""

    status, code = 409, "conflict"


class WrongType(ServiceError):
    """The document's type is not the endpoint's."""

    status, code = 409, "wrong-type"


class AlreadyLinked(ServiceError):
    """The event has a Stripe account in this mode."""

    status, code = 409, "already-linked"


class LinkInProgress(ServiceError):
    """Another attempt to link this event is under way."""

    status, code = 409, "link-in-progress"


class NotLinked(ServiceError):
    """The event has no Stripe account in this mode, so nothing can be paid to one."""

    status, code = 409, "not-linked"


class IdempotencyConflict(ServiceError):
    """The idempotency key was used for another payment of this event."""

    status, code = 409, "idempotency-conflict"


class PayloadTooLarge(ServiceError):
    """The body is larger than we read."""

    status, code = 413, "payload-too-large"


class UnsupportedMediaType(ServiceError):
    """The body is not JSON:API."""

    status, code = 415, "unsupported-media-type"


class Invalid(ServiceError):
    """A value in the document cannot be accepted."""

    status, code = 422, "validation"


class ManyInvalid(ServiceError):
    """Several values in the document cannot be accepted: *faults*, each told with its pointer."""

    status, code = 422, "validation"

    def __init__(self, faults: list[Invalid]) -> None:
        super().__init__(faults[0].detail)
        self.faults = faults


class OnboardingIncomplete(ServiceError):
    """The owner of the account has not told Stripe everything yet."""

    status, code = 422, "onboarding-incomplete"


class StateInvalid(ServiceError):
    """The state is unknown, used, expired or somebody else's."""

    status, code = 422, "state-invalid"


class CodeAlreadyUsed(ServiceError):
    """The authorization code was spent in a way that cannot be answered again."""

    status, code = 422, "code-already-used"


class RememberedFailure(ServiceError):
    """A failure that was answered before, answered again: same status, code and detail."""

    def __init__(self, status: int, code: str, detail: str, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.status, self.code = status, code


class RateLimited(ServiceError):
    """Too many requests of this kind."""

    status, code = 429, "rate-limited"


class Internal(ServiceError):
    """Our bug. The cause is in the log under the request id, never in the answer."""

    def __init__(self) -> None:
        super().__init__(
            "Something went wrong on our side. Please try again,"
            " and tell the administrator if it stays."
        )


class NotSaved(ServiceError):
    """Stripe granted access, and our database stayed away for too long to keep it."""

    status, code = 503, "not-saved"


class Unavailable(ServiceError):
    """The database is away."""

    status, code = 503, "unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The service is not available right now. Please try again.",
            headers={"Retry-After": "5"},
        )


class StripeError(ServiceError):
    """
    Stripe refused, or did not answer as it should.

    *granted_account* is the account id that Stripe's answer named although the answer is refused:
    it is to be given back. *cause* is for the log, never for the answer. `sent` is False only where
    demonstrably nothing reached Stripe, so that the authorization code may be tried again.
    """

    sent: ClassVar[bool] = True

    def __init__(
        self,
        detail: str,
        *,
        granted_account: str | None = None,
        cause: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(detail, **kwargs)
        self.granted_account = granted_account
        self.cause = cause


class StripeRefused(StripeError):
    """Stripe said no, in words for the organizer."""

    status, code = 422, "stripe-refused"


class StripeModeMismatch(StripeError):
    """Test and live were mixed."""

    status, code = 422, "stripe-mode-mismatch"


class StripeRejectedPlatform(StripeError):
    """Stripe does not accept the platform's key."""

    status, code = 502, "stripe-rejected-platform"


class StripeUnreadable(StripeError):
    """Stripe's answer cannot be understood, or was cut off."""

    status, code = 502, "stripe-unreadable"


class StripeUnreachable(StripeError):
    """No connection to Stripe could be made; nothing was sent."""

    status, code = 502, "stripe-unreachable"
    sent = False


class StripeBusy(StripeError):
    """As many calls to Stripe as this process allows are under way; nothing was sent."""

    status, code = 503, "stripe-busy"
    sent = False


class StripeTimeout(StripeError):
    """Stripe did not answer in time."""

    status, code = 504, "stripe-timeout"


def error_document(errors: list[ServiceError], request_id: str) -> dict[str, Any]:
    """Return the JSON:API document that tells *errors*."""
    return {
        "errors": [error.to_error_object(request_id) for error in errors],
        "jsonapi": {"version": "1.0"},
    }
