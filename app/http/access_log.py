"""
The line in the log that every request leaves.

Its fields are described in `docs/operate.md`. The path is written without its query, which may hold
a code.
"""

import re
import time

from flask import Response, g, request

from app.security.logs import log

NAMED = re.compile(r"[A-Za-z0-9-]{1,36}", re.ASCII)  # an event's id or identifier


def start_clock() -> None:
    """Note when the request began."""
    g.started = time.perf_counter()


def write_line(response: Response) -> None:
    """Write the access line."""
    started = g.get("started")
    log.info(
        "request",
        method=request.method,
        path=request.path,
        route=g.route.addresses[0] if g.get("route") else None,
        status=response.status_code,
        ms=round((time.perf_counter() - started) * 1000, 1) if started else None,
        user=g.get("caller_id"),
        event_id=_event_id(),
    )


def _event_id() -> str | None:
    """Return the event that the request names, in its address or else in its document."""
    named = (request.view_args or {}).get("event")
    if named is None and g.get("has_whole_body") and g.get("route"):
        named = _event_of_document()
    return named if isinstance(named, str) and NAMED.fullmatch(named) else None


def _event_of_document() -> object:
    found: object = request.get_json(force=True, silent=True)
    for name in ("data", "relationships", "event", "data", "id"):
        found = found.get(name) if isinstance(found, dict) else None
    return found
