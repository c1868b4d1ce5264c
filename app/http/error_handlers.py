"""
Every exception that leaves a view becomes a JSON:API error document: the one rendering there is.

Its shape (JSON:API 1.0, "Error Objects")::

    {"errors": [{"id": "<request id>", "status": "409", "code": "already-linked",
                 "title": "Conflict", "detail": "One sentence for the reader.",
                 "source": {"pointer": "/data/relationships/event"}}],
     "jsonapi": {"version": "1.0"}}
"""

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, json, request
from flask_rest_jsonapi_next.exceptions import JsonApiException
from marshmallow import ValidationError
from marshmallow_jsonapi.exceptions import IncorrectTypeError
from sqlalchemy.exc import DBAPIError, IntegrityError, TimeoutError
from werkzeug.exceptions import HTTPException

from app.errors import (
    BadParameter,
    BadRequest,
    Conflict,
    Internal,
    Invalid,
    ManyInvalid,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    ServiceError,
    StripeError,
    Unavailable,
    UnsupportedMediaType,
    WrongType,
)
from app.extensions import bound, db
from app.http.negotiation import JSON_API
from app.security.crypto import SecretUnreadable
from app.security.logs import log

REFUSALS: dict[int, tuple[type[ServiceError], str]] = {
    404: (NotFound, "There is nothing at this address."),
    405: (MethodNotAllowed, "This method is not allowed here."),
    413: (PayloadTooLarge, "The body is too large."),
    415: (UnsupportedMediaType, f"Send the body as {JSON_API}."),
    429: (RateLimited, "Too many requests. Please wait a while and try again."),
}


def init_app(app: Flask) -> None:
    """Register the rendering for *app*."""
    app.register_error_handler(ServiceError, lambda error: respond(error))
    app.register_error_handler(ManyInvalid, lambda error: respond(*error.faults))
    app.register_error_handler(IncorrectTypeError, _refuse_type)
    app.register_error_handler(ValidationError, _refuse_document)
    app.register_error_handler(JsonApiException, _refuse_query)
    app.register_error_handler(HTTPException, _refuse_request)
    app.register_error_handler(IntegrityError, _refuse_conflict)
    app.register_error_handler(DBAPIError, _tell_database)
    app.register_error_handler(TimeoutError, _tell_database)
    app.register_error_handler(SecretUnreadable, _tell_unreadable)
    app.register_error_handler(Exception, _fail)


def respond(*errors: ServiceError) -> Response:
    """Return the answer for *errors*; its status is that of the first."""
    for error in errors:
        _locate(error)
        if isinstance(error, StripeError) and error.cause:
            log.warning("stripe answered", code=error.code, cause=error.cause)
    if _is_for_people():
        page: Response = bound("console").refuse(errors[0])
        return page
    response = Response(
        json.dumps(_document(errors)),
        errors[0].status,
        content_type="application/json" if errors[0].is_plain else JSON_API,
    )
    response.headers.update(errors[0].headers)
    return response


def _is_for_people() -> bool:
    """Whether a page was asked for: one of the console's, or nothing we know, by a browser."""
    route = g.get("route")
    if route is not None or request.path.startswith("/v1/"):
        return route is not None and route.page
    return request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html"


def _locate(error: ServiceError) -> None:
    """Return where the error's field stands in the documents of this address."""
    route = g.get("route")
    schema = getattr(route.view, "schema", None) if route else None
    if error.field is not None and not error.source and schema is not None:
        pointer = schema.pointer_to(error.field)
        error.source = {"pointer": pointer} if pointer else {}


def _document(errors: tuple[ServiceError, ...]) -> dict[str, Any]:
    """Sign-in speaks plain JSON: the frontend's form shows `error`, whatever the refusal."""
    if errors[0].is_plain:
        return {"error": errors[0].detail}
    objects = [_error_object(error) for error in errors]
    document = {"errors": objects, "jsonapi": {"version": "1.0"}}
    route = g.get("route")
    return {"error": errors[0].detail, **document} if route and route.plain_json else document


def _error_object(error: ServiceError) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": g.get("request_id", ""),
        "status": str(error.status),
        "code": error.code,
        "title": HTTPStatus(error.status).phrase,
        "detail": error.detail,
    }
    if error.source:
        told["source"] = error.source
    if error.meta:
        told["meta"] = error.meta
    return told


def _refuse_type(error: IncorrectTypeError) -> Response:
    return respond(WrongType("This type is not allowed here.", pointer="/data/type"))


def _refuse_document(error: ValidationError) -> Response:
    return respond(*faults_of(error))


def faults_of(error: ValidationError) -> list[Invalid]:
    """Return every fault of a document, each with its pointer."""
    faults = error.messages["errors"] if isinstance(error.messages, dict) else []
    return [
        Invalid(_sentence(fault["detail"]), pointer=fault["source"]["pointer"])
        for fault in faults[:20]
    ]


def _sentence(text: object) -> str:
    return " ".join(text) if isinstance(text, list) else str(text)


def _refuse_query(error: JsonApiException) -> Response:
    """The library refuses queries only after ours did; what it says is not shown."""
    log.warning("refused by the library", kind=type(error).__name__)
    return respond(BadParameter("The query is not valid.", parameter="query"))


def _refuse_request(error: HTTPException) -> Response:
    kind, detail = REFUSALS.get(error.code or 500, (BadRequest, "The request is not valid."))
    refusal = kind(detail)
    given = error.get_response().headers
    refusal.headers |= {name: given[name] for name in ("Allow", "Retry-After") if name in given}
    return respond(refusal)


def _refuse_conflict(error: IntegrityError) -> Response:
    """Two simultaneous requests were in conflict, and the database accepted one."""
    db.session.rollback()
    log.warning("conflict", constraint=_constraint(error))
    return respond(Conflict("Someone else changed this at the same time. Please try again."))


def _constraint(error: IntegrityError) -> str | None:
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None)


def _tell_database(error: Exception) -> Response:
    """Answer 503 without a database; the driver's words are not shown."""
    db.session.rollback()
    log.error("database", kind=type(getattr(error, "orig", None) or error).__name__, exc_info=True)
    return respond(Unavailable())


def _tell_unreadable(error: SecretUnreadable) -> Response:
    """The operator has to add a key, which the log says; nobody else can do anything about it."""
    db.session.rollback()
    log.error("secret unreadable", reason=str(error))
    return respond(Internal())


def _fail(error: Exception) -> Response:
    db.session.rollback()
    log.error("internal error", exc_info=True)
    return respond(Internal())
