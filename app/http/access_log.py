"""The line in the log that every request leaves."""

import time

from flask import Response, g, request

from app.security.logs import log


def start_clock() -> None:
    """Note when the request began."""
    g.started = time.perf_counter()


def write_line(response: Response) -> None:
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
