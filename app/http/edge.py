"""
The edge: what happens to every request before a view sees it, and to every answer on its way out.

The order on the way in is the contract's: 413, then 415 and 406, then 401 (`app/auth.py`). Before
all of them a host that is not ours is refused (400).
"""

import re
import time
from functools import lru_cache
from typing import NoReturn
from uuid import uuid4

import structlog
from flask import Flask, Response, current_app, g, request
from flask import Request as FlaskRequest
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_cors import CORS
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.http import parse_accept_header, parse_options_header
from werkzeug.middleware.proxy_fix import ProxyFix

from app.errors import BadRequest, MalformedJson, NotAcceptable, UnsupportedMediaType
from app.http.routing import LARGEST_BODY, current_route
from app.security.logs import log
from config import Config

JSON_API = "application/vnd.api+json"
MOST_DISCARDED = 16 * LARGEST_BODY
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
HOST = re.compile(r"(\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[\w.-]+))(:[0-9]{0,5})?", re.ASCII)
VARY = "Authorization, Accept, Origin"
EXPOSED = ["ETag", "Location", "Retry-After", "X-Request-ID"]


def init_app(app: Flask, config: Config) -> None:
    """Put the edge around *app*."""
    app.request_class = Request
    app.session_interface = ConsoleSessions()
    app.url_map.merge_slashes = False  # it redirects, with a page, to an address made from the path
    app.extensions["allowed_hosts"] = {host.lower().strip("[]") for host in config.allowed_hosts}
    if config.trusted_proxies:
        count = config.trusted_proxies
        app.wsgi_app = ProxyFix(
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_port=count
        )
    if config.cors_origins:
        CORS(
            app,
            origins=[re.compile(re.escape(origin) + r"\Z") for origin in config.cors_origins],
            allow_headers=[
                "Accept",
                "Authorization",
                "Content-Type",
                "If-None-Match",
                "X-Request-ID",
            ],
            expose_headers=EXPOSED,
            methods=["GET", "POST", "PATCH", "DELETE"],
            max_age=600,
        )
    app.before_request(_enter)
    app.after_request(_finish)


class ConsoleSessions(SecureCookieSessionInterface):
    """Flask's sessions, for the console's pages: the API has none, and reads no cookie."""

    def open_session(self, app: Flask, request: FlaskRequest) -> SecureCookieSession | None:
        return None if request.path.startswith("/v1/") else super().open_session(app, request)


class Request(FlaskRequest):
    """A request whose body is JSON or refused as malformed, empty ones too."""

    def on_json_loading_failed(self, e: ValueError | None) -> NoReturn:
        raise MalformedJson("The body is not JSON.")


def _enter() -> None:
    """Do what comes before every view, in the contract's order."""
    _name_request()
    g.route = current_route()
    _check_host()
    _read_body()
    _negotiate()


def _name_request() -> None:
    """Give the request an id; a caller's own is kept if it could not forge a log line."""
    g.started = time.perf_counter()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _check_host() -> None:
    """Refuse a name that is not ours; a leading dot in the list allows every name below it."""
    if "HTTP_HOST" not in request.environ:  # HTTP/1.0, as load balancers ask for our health
        return
    found = HOST.fullmatch(request.environ["HTTP_HOST"].lower())
    name = (found["address"] or found["name"]) if found else ""
    allowed = current_app.extensions["allowed_hosts"]
    parents = (name[dot:] for dot, character in enumerate(name) if character == ".")
    if name not in allowed and allowed.isdisjoint(parents):
        raise BadRequest("This service does not answer to that name.", header="Host")


def _read_body() -> None:
    """
    Read the body, so that one that is too large is refused (413) before anything else is asked.

    One byte more than the limit is let in, because a chunked body is cut at the library's limit
    and not refused.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    largest = g.route.largest_body if g.route else LARGEST_BODY
    request.max_content_length = largest + 1
    if (request.content_length or 0) > largest or len(_body()) > largest:
        _discard_rest()
        raise RequestEntityTooLarge


def _body() -> bytes:
    """Return the body. Raises BadRequest if it breaks off, or comes in pieces that are none."""
    try:
        return request.get_data()
    except HTTPException:
        raise
    except Exception as error:  # because every server has an error of its own for it
        log.info("body not read", kind=type(error).__name__)
        raise BadRequest("The body cannot be read.") from None


def _discard_rest() -> None:
    """Read what still comes, within reason: who is still sending does not hear our refusal."""
    left = request.content_length or MOST_DISCARDED
    if left <= MOST_DISCARDED:
        while left > 0 and (piece := request.environ["wsgi.input"].read(min(left, 65536))):
            left -= len(piece)


def _negotiate() -> None:
    """Refuse (415, 406) what speaks neither JSON:API nor JSON to an endpoint under /v1."""
    if request.url_rule is None or not request.path.startswith("/v1/"):
        return
    if request.method in ("POST", "PATCH", "DELETE"):
        _check_content_type()
    if not _accepts_json_api(request.headers.get("Accept", "")):
        raise NotAcceptable(
            f"The answer is {JSON_API}; the Accept header does not allow it.", header="Accept"
        )


def _check_content_type() -> None:
    kind, parameters = parse_options_header(request.headers.get("Content-Type", ""))
    kind = kind.lower()
    nothing_sent = not kind and not request.get_data()
    plain = kind == JSON_API and not parameters
    if not (plain or kind == "application/json" or nothing_sent):
        raise UnsupportedMediaType(
            f"Send the body as {JSON_API}, without parameters.", header="Content-Type"
        )


@lru_cache(256)  # clients send the same few, and reading one takes 12 µs
def _accepts_json_api(header: str) -> bool:
    """Whether an Accept header has a range for JSON:API; one with parameters does not count."""
    accepted = parse_accept_header(header, MIMEAccept)
    if not accepted:
        return True
    ranges = ("*/*", "application/*", JSON_API, "application/json")
    return any(quality > 0 and value.lower() in ranges for value, quality in accepted)


def _finish(response: Response) -> Response:
    headers = response.headers
    if request.method == "OPTIONS" and response.status_code == 200:
        headers.pop("Content-Type", None)  # there is no content
    headers["X-Request-ID"] = g.get("request_id") or uuid4().hex
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if "Cache-Control" not in headers:
        _cache(response)
    _write_line(response)
    return response


def _cache(response: Response) -> None:
    """Anonymous reads may be kept if they are asked for again with their ETag; nothing else may."""
    if not _is_public(response):
        response.headers["Cache-Control"] = "no-store"
        return
    response.headers["Cache-Control"] = "public, no-cache"
    response.headers["Vary"] = ", ".join([*response.headers.getlist("Vary"), VARY])
    response.add_etag()
    response.make_conditional(request)


def _is_public(response: Response) -> bool:
    return (
        response.status_code == 200
        and request.method in ("GET", "HEAD")
        and request.path.startswith("/v1/")
        and "Authorization" not in request.headers
    )


def _write_line(response: Response) -> None:
    """Write the access line: the path without its query, which may hold a code."""
    started = g.get("started")
    log.info(
        "request",
        method=request.method,
        path=request.path,
        status=response.status_code,
        ms=round((time.perf_counter() - started) * 1000, 1) if started else None,
        user=g.get("caller_id"),
    )
