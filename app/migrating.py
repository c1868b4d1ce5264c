"""
Migrations: what the commands run, and what a process that serves asks of them.

Alembic is imported by the commands alone: it weighs 12 MB, and a tenth of a second at the start.
"""

from functools import cache

from flask import Flask
from sqlalchemy import Connection, column, inspect, select, table

from app.extensions import db
from config import ROOT

APPLIED = select(column("version_num")).select_from(table("alembic_version"))


@cache
def newest_migration() -> str:
    """Return the last migration there is; their names are numbered (`migrations/README.md`)."""
    return max(path.stem for path in (ROOT / "migrations/versions").glob("[0-9]*.py"))


def applied_migration(connection: Connection) -> str | None:
    """Return the last migration that the database has; None if it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(APPLIED).scalar_one_or_none()


def bind_migrations(app: Flask) -> None:
    """Let Flask-Migrate's commands and functions work on *app*."""
    from flask_migrate import Migrate

    Migrate(app, db, directory=str(ROOT / "migrations"), render_as_batch=False)
