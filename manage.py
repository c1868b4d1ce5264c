"""The operator's verbs: `python manage.py --help`."""

from flask import Flask
from flask.cli import FlaskGroup, NoAppException

from app import create_app
from app.commands import COMMANDS
from app.db.migrations import bind_migrations
from config import ConfigError


def _create_app() -> Flask:
    """Return the service, or tell the faults of its configuration without a traceback."""
    try:
        app = create_app()
    except ConfigError as error:
        raise NoAppException(str(error)) from None
    bind_migrations(app)
    return app


cli = FlaskGroup(create_app=_create_app, add_version_option=False, load_dotenv=False)
for command in COMMANDS:
    cli.add_command(command)

if __name__ == "__main__":
    cli()
