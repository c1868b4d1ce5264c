"""
The edge: what happens to every request before a view sees it, and to every answer on its way out.

The order on the way in is the contract's: 413, then 415 and 406, then 401 (`app/auth.py`).
"""

import re
import time
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request
from flask_cors import CORS
from werkzeug.http import parse_options_header
from werkzeug.middleware.proxy_fix import ProxyFix

from app.errors import NotAcceptable, UnsupportedMediaType
from app.logs import log
from config import Config

JSON_API = "application/vnd.api+json"
LARGEST_BODY = 1024 * 1024
SMALLER_BODIES = {"/stripe/webhooks": 256 * 1024}
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
EXPOSED = ["ETag", "Location", "Retry-After", "X-Request-ID"]


def init_app(app: Flask, config: Config) -> None:
    """Put the edge around *app*."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["TRUSTED_HOSTS"] = list(config.allowed_hosts)
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
    app.before_request(_name_request)
    app.before_request(_read_body)
    app.before_request(_negotiate)
    app.after_request(_finish)


def _name_request() -> None:
    """Give the request an id; a caller's own is kept if it could not forge a log line."""
    g.started = time.perf_counter()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _read_body() -> None:
    """
    Read the body, so that one that is too large is refused (413) before anything else is asked.
    """
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        request.max_content_length = SMALLER_BODIES.get(request.path, LARGEST_BODY)
        request.get_data()


def _negotiate() -> None:
    """Refuse (415, 406) what speaks neither JSON:API nor JSON to an endpoint under /v1."""
    if request.url_rule is None or not request.path.startswith("/v1/"):
        return
    if request.method in ("POST", "PATCH", "DELETE"):
        _check_content_type()
    if not _accepts_json_api():
        raise NotAcceptable(
            f"The answer is {JSON_API}; the Accept header does not allow it.", header="Accept"
        )


def _check_content_type() -> None:
    kind, parameters = parse_options_header(request.headers.get("Content-Type", ""))
    nothing_sent = not kind and not request.get_data()
    plain = kind == JSON_API and not parameters
    if not (plain or kind == "application/json" or nothing_sent):
        raise UnsupportedMediaType(
            f"Send the body as {JSON_API}, without parameters.", header="Content-Type"
        )


def _accepts_json_api() -> bool:
    """Whether the Accept header has a range for JSON:API; one with parameters does not count."""
    accepted = request.accept_mimetypes
    if not accepted:
        return True
    ranges = ("*/*", "application/*", JSON_API, "application/json")
    return any(quality > 0 and value.lower() in ranges for value, quality in accepted)


def _finish(response: Response) -> Response:
    headers = response.headers
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
    response.vary.update(("Authorization", "Accept", "Origin"))
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
