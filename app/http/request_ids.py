"""Every request has an id, which its answer and its lines in the log name."""

import re
from uuid import uuid4

import structlog
from flask import g, request

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def name_request() -> None:
    """Give the request an id; a caller's own is kept if it could not forge a log line."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def request_id() -> str:
    """Return the id of the request; a new one for what went wrong before it had any."""
    known: str | None = g.get("request_id")
    return known or uuid4().hex
