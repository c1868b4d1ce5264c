"""The operator's verbs: `python manage.py --help`."""

from flask.cli import FlaskGroup

from app import create_app
from app.commands import COMMANDS

cli = FlaskGroup(create_app=lambda: create_app(), add_version_option=False, load_dotenv=False)
for command in COMMANDS:
    cli.add_command(command)

if __name__ == "__main__":
    cli()
