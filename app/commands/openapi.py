"""`openapi`: the API's description, for programs."""

import click
from flask import json
from flask.cli import with_appcontext

from app.http.openapi.document import describe
from app.routes import ROUTES


@click.command()
@with_appcontext
def openapi() -> None:
    """
    Print the OpenAPI 3.1 document of this API.

    \b
    Example: python manage.py openapi > openapi.json
    """
    click.echo(json.dumps(describe(ROUTES), indent=2))
