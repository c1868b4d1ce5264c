"""Everything we refuse: a class per refusal, with its HTTP status and stable code."""

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

    def __init_subclass__(cls, *, status: int | None = None, code: str | None = None) -> None:
        """Set the HTTP status and the stable code; a subclass without them inherits both."""
        super().__init_subclass__()
        cls.status = status or cls.status
        cls.code = code or cls.code


class BadParameter(ServiceError, status=400, code="bad-parameter"):
    """A query parameter is unknown or cannot be read."""


class BadRequest(ServiceError, status=400, code="bad-parameter"):
    """The HTTP request itself cannot be understood."""


class MalformedJson(ServiceError, status=400, code="malformed-json"):
    """The body is not JSON."""


class IdMismatch(ServiceError, status=400, code="id-mismatch"):
    """The id in the body is not the one in the URL."""


class Unauthenticated(ServiceError, status=401, code="unauthenticated"):
    """There is no valid access token."""

    def __init__(self, detail: str = "Sign in first.", **kwargs: Any) -> None:
        super().__init__(
            detail, header="Authorization", headers={"WWW-Authenticate": "JWT"}, **kwargs
        )


class SessionEnded(Unauthenticated):
    """The token is one of ours, but its session or its user may not go on."""

    def __init__(self) -> None:
        super().__init__("The session has ended. Please sign in again.")


class Forbidden(ServiceError, status=403, code="forbidden"):
    """The caller is known and may not do this."""


class StripeDisabled(ServiceError, status=403, code="stripe-disabled"):
    """The event does not offer Stripe to its buyers."""


class StripeNotConfigured(ServiceError, status=403, code="stripe-not-configured"):
    """The platform's keys of the current mode are not complete."""


class NotFound(ServiceError, status=404, code="not-found"):
    """There is no such thing, or the caller may not know of it."""


class MethodNotAllowed(ServiceError, status=405, code="method-not-allowed"):
    """The resource exists, this verb does not."""


class NotAcceptable(ServiceError, status=406, code="not-acceptable"):
    """The caller accepts nothing that we can send."""


class Conflict(ServiceError, status=409, code="conflict"):
    """What is asked for contradicts what is already so."""


class WrongType(ServiceError, status=409, code="wrong-type"):
    """The document's type is not the endpoint's."""


class AlreadyLinked(ServiceError, status=409, code="already-linked"):
    """The event has a Stripe account in this mode."""


class LinkInProgress(ServiceError, status=409, code="link-in-progress"):
    """Another attempt to link this event is under way."""


class NotLinked(ServiceError, status=409, code="not-linked"):
    """The event has no Stripe account in this mode, so nothing can be paid to one."""


class IdempotencyConflict(ServiceError, status=409, code="idempotency-conflict"):
    """The idempotency key was used for another payment of this event."""


class PayloadTooLarge(ServiceError, status=413, code="payload-too-large"):
    """The body is larger than we read."""


class UnsupportedMediaType(ServiceError, status=415, code="unsupported-media-type"):
    """The body is not JSON:API."""


class Invalid(ServiceError, status=422, code="validation"):
    """A value in the document cannot be accepted."""


class ManyInvalid(ServiceError, status=422, code="validation"):
    """Several values in the document cannot be accepted: *faults*, each told with its pointer."""

    def __init__(self, faults: list[Invalid]) -> None:
        super().__init__(faults[0].detail)
        self.faults = faults


class OnboardingIncomplete(ServiceError, status=422, code="onboarding-incomplete"):
    """The owner of the account has not told Stripe everything yet."""


class StateInvalid(ServiceError, status=422, code="state-invalid"):
    """The state is unknown, used, expired or another user's."""


class CodeAlreadyUsed(ServiceError, status=422, code="code-already-used"):
    """The authorization code was spent in a way that cannot be answered again."""


class RememberedFailure(ServiceError):
    """A failure that was answered before, answered again: same status, code and detail."""

    def __init__(self, status: int, code: str, detail: str, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.status, self.code = status, code


class RateLimited(ServiceError, status=429, code="rate-limited"):
    """Too many requests of this kind."""


class Internal(ServiceError):
    """Our bug. The cause is in the log under the request id, never in the answer."""

    def __init__(self) -> None:
        super().__init__(
            "Something went wrong on our side. Please try again,"
            " and tell the administrator if it happens again."
        )


class NotSaved(ServiceError, status=503, code="not-saved"):
    """Stripe granted access, and our database stayed away for too long to keep it."""


class Unavailable(ServiceError, status=503, code="unavailable"):
    """The database is away."""

    def __init__(self) -> None:
        super().__init__(
            "The service is not available right now. Please try again.",
            headers={"Retry-After": "5"},
        )


class StripeError(ServiceError):
    """
    Stripe refused, or did not answer as it should.

    *granted_account* is the account id that Stripe's answer named although the answer is refused:
    deauthorize it. *cause* is for the log, never for the answer. `sent` is False only if nothing
    can have reached Stripe, so that the authorization code may be tried again.
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


class StripeRefused(StripeError, status=422, code="stripe-refused"):
    """Stripe said no, in words for the organizer."""


class StripeModeMismatch(StripeError, status=422, code="stripe-mode-mismatch"):
    """Test and live were mixed."""


class StripeRejectedPlatform(StripeError, status=502, code="stripe-rejected-platform"):
    """Stripe does not accept the platform's key."""


class StripeUnreadable(StripeError, status=502, code="stripe-unreadable"):
    """Stripe's answer cannot be understood, or was cut off."""


class StripeUnreachable(StripeError, status=502, code="stripe-unreachable"):
    """No connection to Stripe could be made; nothing was sent."""

    sent = False


class StripeBusy(StripeError, status=503, code="stripe-busy"):
    """As many calls to Stripe as this process allows are under way; nothing was sent."""

    sent = False


class StripeTimeout(StripeError, status=504, code="stripe-timeout"):
    """Stripe did not answer in time."""
