"""
The edge: what happens to every request before a view sees it, and to every answer on its way out.

The order on the way in is the contract's: 413, then 415 and 406, then 401 (`app/auth/guard.py`).
Before all of them a host that is not ours is refused (400).
"""

import re

from flask import Flask, Response, g, request
from flask_cors import CORS

from app.http import access_log, bodies, caching, hosts, negotiation, request_ids
from app.http.routing import current_route
from config import Config

SENT = [  # by browsers: our frontend, and what monitors and caches add to its requests
    "Accept",
    "Authorization",
    "Content-Type",
    "If-None-Match",
    "X-CSRF-Token",
    "X-Request-ID",
    "X-Requested-With",
    "Cache-Control",
    "sentry-trace",
    "baggage",
    "traceparent",
]
EXPOSED = ["ETag", "Location", "Retry-After", "X-Request-ID"]


def init_app(app: Flask, config: Config) -> None:
    """Put the edge around *app*."""
    app.url_map.merge_slashes = False  # it redirects, with a page, to an address made from the path
    hosts.init_app(app, config.allowed_hosts, config.trusted_proxies)
    if config.cors_origins:
        CORS(
            app,
            origins=[re.compile(re.escape(origin) + r"\Z") for origin in config.cors_origins],
            allow_headers=SENT,
            expose_headers=EXPOSED,
            methods=["GET", "POST", "PATCH", "DELETE"],
            max_age=600,
        )
    app.before_request(_enter)
    app.after_request(_finish)


def _enter() -> None:
    """Do what comes before every view, in the contract's order."""
    access_log.start_clock()
    request_ids.name_request()
    g.route = current_route()
    hosts.check_host()
    bodies.read_body()
    negotiation.negotiate()


def _finish(response: Response) -> Response:
    headers = response.headers
    if request.method == "OPTIONS" and response.status_code == 200:
        headers.pop("Content-Type", None)  # there is no content
    headers["X-Request-ID"] = request_ids.request_id()
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if "Cache-Control" not in headers:
        caching.cache(response)
    access_log.write_line(response)
    return response
