"""The headers that answers carry, by what they are."""

from collections.abc import Iterable

from app import errors
from app.errors import ServiceError
from app.http.openapi.components import Json

REPEATED_LATER = (
    errors.RateLimited,
    errors.Unavailable,
    errors.StripeBusy,
    errors.LinkInProgress,
    errors.Conflict,
)


def of_answer(status: int, *, is_public: bool) -> Json:
    """Return the headers of an answer that is no refusal."""
    found = {"X-Request-ID": _text("The id of the request; the log has it, too.")}
    if status == 201:
        found["Location"] = _text("Where the new resource is: an absolute URL.", "uri")
    if is_public:
        found["ETag"] = _text("For `If-None-Match`; only where no `Authorization` was sent.")
    return found


def of_refusal(kinds: Iterable[type[ServiceError]]) -> Json:
    """Return the headers of an answer that ends in one of *kinds*."""
    found = {"X-Request-ID": _text("The id of the request, as in `errors[0].id`.")}
    raised = set(kinds)
    if raised & set(REPEATED_LATER):
        found["Retry-After"] = {
            "description": "Seconds until it is worth trying again, where that is known.",
            "schema": {"type": "integer", "minimum": 0},
        }
    if errors.Unauthenticated in raised:
        found["WWW-Authenticate"] = _text("`JWT`; `Bearer` at `/metrics`.")
    return found


def _text(description: str, text_format: str | None = None) -> Json:
    schema: Json = {"type": "string"}
    if text_format:
        schema["format"] = text_format
    return {"description": description, "schema": schema}
