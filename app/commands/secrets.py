"""`manage.py secrets`: keys for secrets at rest."""

import json
import sys

import click
from cryptography.fernet import Fernet
from flask.cli import with_appcontext
from rich.console import Console
from rich.progress import Progress
from sqlalchemy.exc import DBAPIError, TimeoutError

from app.security.crypto import cipher
from app.services.rotation import Report, count_rows, rotate_secrets


@click.group("secrets")
def secrets() -> None:
    """Keys for secrets at rest."""


@secrets.command("generate")
def generate() -> None:
    """Print a fresh encryption key."""
    click.echo(Fernet.generate_key().decode())


@secrets.command("rotate")
@with_appcontext
def rotate() -> None:
    """
    Re-encrypt every stored secret with the first of ENCRYPTION_KEYS.

    Safe to run while serving, to kill and to run again. Exit status 1 if a secret cannot be read;
    everything else is re-encrypted all the same.

    To bring in a new key: append it at the END of ENCRYPTION_KEYS everywhere, then put it first
    everywhere, then run this, then remove the old one.
    """
    try:
        report = _rotate_visibly()
    except (DBAPIError, TimeoutError):
        raise click.ClickException(
            "The database went away, or kept us waiting for too long."
            " What was re-encrypted stays so; run this again."
        ) from None
    counts = {"rotated": report.rotated, "unchanged": report.unchanged}
    click.echo(json.dumps({**counts, "unreadable": len(report.unreadable)}))
    _tell_unreadable(report)


def _rotate_visibly() -> Report:
    """Rotate with a progress bar, if standard error is a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Re-encrypting", total=count_rows())
        return rotate_secrets(cipher(), lambda rows: progress.advance(task, rows))


def _tell_unreadable(report: Report) -> None:
    for each in report.unreadable:
        click.echo(f"unreadable: {each.table} id {each.id}, {each.column}", err=True)
    if report.unreadable:
        click.echo(
            "No key in ENCRYPTION_KEYS opens these where they are stored. Add the key that sealed"
            " them and run this again, or store them anew: set the key in the settings, connect the"
            " account again.",
            err=True,
        )
        sys.exit(1)
