"""The operator's commands: `python manage.py --help`."""

from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup, ScriptInfo
from sqlalchemy.exc import DBAPIError, TimeoutError

from app import create_app
from app.commands import COMMANDS
from app.commands.failures import why_database_failed
from app.db.migrations import bind_migrations
from config import ConfigError


def _create_app() -> Flask:
    app = create_app(is_serving=False)
    bind_migrations(app)
    return app


class Manage(AppGroup):
    """Every failure that an operator can mend ends as one sentence and exit status 1."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Let commands that need the service make it themselves; some do without."""
        return super().main(*args, obj=ScriptInfo(create_app=_create_app), **kwargs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import Alembic for `db` alone: it weighs 12 MB and a tenth of a second."""
        if cmd_name == "db" and "db" not in self.commands:
            from flask_migrate.cli import db

            self.add_command(db, "db")
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name `db` too."""
        return sorted({*super().list_commands(ctx), "db"})

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what its environment did wrong into a sentence."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise click.ClickException(str(error)) from None
        except (DBAPIError, TimeoutError) as error:
            app = ctx.ensure_object(ScriptInfo).load_app()
            migrating = ctx.invoked_subcommand == "db"
            reason = why_database_failed(app, error, migrating=migrating)
            raise click.ClickException(reason) from None


cli = Manage(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
for command in COMMANDS:
    cli.add_command(command)

if __name__ == "__main__":
    cli()
