"""`manage.py secrets`: keys for secrets at rest."""

import sys

import click
from cryptography.fernet import Fernet
from flask.cli import with_appcontext

from app.commands.output import epilog, json_option, progress, show_json
from app.security.crypto import cipher
from app.services.rotation import RotationReport, count_rows, rotate_secrets


@click.group("secrets")
def secrets() -> None:
    """Generate and rotate the keys that encrypt stored secrets."""


@secrets.command("generate", epilog=epilog("secrets generate"))
def generate() -> None:
    """Print a fresh encryption key. Needs no configuration."""
    click.echo(Fernet.generate_key().decode())


@secrets.command(
    "rotate",
    epilog=epilog(
        "secrets rotate",
        "secrets rotate --json",
        exit_1="a secret cannot be read with any key; all others are re-encrypted",
    ),
)
@json_option
@with_appcontext
def rotate(as_json: bool) -> None:
    """
    Re-encrypt every stored secret with the first of ENCRYPTION_KEYS.

    Safe to run while serving, to kill and to run again.

    To bring in a new key: append it at the END of ENCRYPTION_KEYS everywhere, then put it first
    everywhere, then run this, then remove the old one.
    """
    with progress("Re-encrypting", count_rows()) as advance:
        report = rotate_secrets(cipher(), advance)
    unreadable = len(report.unreadable)
    if as_json:
        counts = {"rotated": report.rotated, "unchanged": report.unchanged}
        show_json({**counts, "unreadable": unreadable})
    else:
        click.echo(
            f"Re-encrypted: {report.rotated}, up to date: {report.unchanged},"
            f" unreadable: {unreadable}"
        )
    _tell_unreadable(report)


def _tell_unreadable(report: RotationReport) -> None:
    for each in report.unreadable:
        click.echo(f"unreadable: {each.table} id {each.id}, {each.column}", err=True)
    if report.unreadable:
        click.echo(
            "None of ENCRYPTION_KEYS opens these where they are stored. Add the key that encrypted"
            " them and run this again, or store them anew: set the key in the settings, connect the"
            " account again.",
            err=True,
        )
        sys.exit(1)
