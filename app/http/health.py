"""What load balancers ask: is the process alive, and can it work?"""

from flask import jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError, TimeoutError

from app.db.migrations import is_behind
from app.extensions import db


def live() -> ResponseReturnValue:
    """Say that the process runs; nothing is touched."""
    return jsonify(status="ok")


def ready() -> ResponseReturnValue:
    """Say whether the database is there and has every migration."""
    try:
        with db.engine.connect() as connection:
            lacks_migrations = is_behind(connection)
    except (DBAPIError, TimeoutError):
        return jsonify(status="unavailable", reason="The database cannot be reached."), 503
    if lacks_migrations:
        return jsonify(status="unavailable", reason="The database lacks migrations."), 503
    return jsonify(status="ok")
