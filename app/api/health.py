"""What load balancers ask: is the process alive, and can it work?"""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError, TimeoutError

from app.extensions import db
from app.migrating import applied_migration, newest_migration

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
            applied = applied_migration(connection)
    except (DBAPIError, TimeoutError):
        return jsonify(status="unavailable", reason="The database cannot be reached."), 503
    if applied != newest_migration():
        return jsonify(status="unavailable", reason="The database lacks migrations."), 503
    return jsonify(status="ok")
