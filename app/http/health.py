"""Health checks for load balancers: is the process alive, and can it work?"""

from flask import jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError, TimeoutError

from app.db.readiness import find_fault


def live() -> ResponseReturnValue:
    """Say that the process runs; nothing is touched."""
    return jsonify(status="ok")


def ready() -> ResponseReturnValue:
    """Say whether the database is there, can be written to and has every migration."""
    try:
        fault = find_fault()
    except (DBAPIError, TimeoutError):
        fault = "The database cannot be reached."
    if fault is not None:
        return jsonify(status="unavailable", reason=fault), 503
    return jsonify(status="ok")
