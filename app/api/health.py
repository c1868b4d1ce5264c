"""What load balancers ask: is the process alive, and can it work?"""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError, TimeoutError

from app.extensions import db
from app.migrating import is_behind

blueprint = Blueprint("health", __name__, url_prefix="/health")


@blueprint.get("/live")
def live() -> ResponseReturnValue:
    """Say that the process runs; nothing is touched."""
    return jsonify(status="ok")


@blueprint.get("/ready")
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
