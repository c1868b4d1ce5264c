"""
Migrations: what the commands run, and what a process that serves asks of them.

Alembic is imported by the commands alone: it weighs 12 MB, and a tenth of a second at the start.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, column, inspect, select, table

from app.extensions import db
from config import ROOT

if TYPE_CHECKING:
    from flask import Flask

APPLIED: Select[Any] = select(column("version_num")).select_from(table("alembic_version"))


@cache
def newest_migration() -> str:
    """Return the last migration there is; their names are numbered (`migrations/README.md`)."""
    return max(path.stem for path in (ROOT / "migrations/versions").glob("[0-9]*.py"))


def is_behind(connection: Connection) -> bool:
    """
    Whether the database lacks a migration. One that is ahead does not: in a rolling deployment it
    is migrated first, and the code that goes serves until the new one is there.
    """
    if not inspect(connection).has_table("alembic_version"):
        return True
    return max(connection.scalars(APPLIED), default="") < newest_migration()


def bind_migrations(app: "Flask") -> None:
    """Let Flask-Migrate's commands and functions work on *app*."""
    from flask_migrate import Config, Migrate

    folder = str(ROOT / "migrations")
    migrate = Migrate(app, db, directory=".", render_as_batch=False)

    @migrate.configure  # type: ignore[untyped-decorator]
    def point_at_folder(config: Config) -> Config:
        # Flask-Migrate itself fails where the path has a percent sign: ConfigParser expands those.
        config.file_config.read(f"{folder}/alembic.ini")
        config.set_main_option("script_location", folder.replace("%", "%%"))
        return config
