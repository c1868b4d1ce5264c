"""What load balancers ask: is the process alive, and can it work?"""

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError, TimeoutError

from app.extensions import db

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
            found = MigrationContext.configure(connection).get_current_revision()
    except (DBAPIError, TimeoutError):
        return jsonify(status="unavailable", reason="The database cannot be reached."), 503
    if found != _newest_migration():
        return jsonify(status="unavailable", reason="The database lacks migrations."), 503
    return jsonify(status="ok")


def _newest_migration() -> str | None:
    directory = current_app.extensions["migrate"].directory
    return ScriptDirectory(directory).get_current_head()
