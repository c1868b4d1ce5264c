"""`manage.py secrets`: keys for secrets at rest."""

import sys

import click
from cryptography.fernet import Fernet
from flask.cli import with_appcontext

from app.commands.output import epilog, json_option, progress, show_json
from app.security.crypto import cipher
from app.services.rotation import count_rows, rotate_secrets

LOST = (
    "Every secret that no key in ENCRYPTION_KEYS opens is erased, and cannot be brought back."
    " Is the key lost for good?"
)
UNREADABLE = (
    "None of ENCRYPTION_KEYS opens these where they are stored. Add the key that encrypted them and"
    " run this again. If it is lost: --forget-unreadable, then enter the platform's keys again."
)


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
        "secrets rotate --forget-unreadable",
        exit_1="a secret cannot be read with any key; all others are re-encrypted",
    ),
)
@click.option(
    "--forget-unreadable",
    is_flag=True,
    help="Erase what no key opens, where the key is lost for good. Asks first.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@with_appcontext
def rotate(forget_unreadable: bool, yes: bool, as_json: bool) -> None:
    """
    Re-encrypt every stored secret with the first of ENCRYPTION_KEYS.

    Safe to run while serving, to kill and to run again.

    To bring in a new key: append it at the END of ENCRYPTION_KEYS everywhere, then put it first
    everywhere, then run this, then remove the old one.

    After --forget-unreadable, enter the platform's keys again. Accounts stay linked, without their
    tokens. Authorization codes that were used before are not recognized any more.
    """
    if forget_unreadable and not yes:
        click.confirm(LOST, abort=True, err=True)
    with progress("Re-encrypting", count_rows()) as advance:
        report = rotate_secrets(cipher(), advance, forget_unreadable=forget_unreadable)
    what = "forgotten" if forget_unreadable else "unreadable"
    if as_json:
        counts = {"rotated": report.rotated, "unchanged": report.unchanged}
        show_json({**counts, what: len(report.unreadable)})
    else:
        click.echo(
            f"Re-encrypted: {report.rotated}, up to date: {report.unchanged},"
            f" {what}: {len(report.unreadable)}"
        )
    for each in report.unreadable:
        click.echo(f"{what}: {each.table} id {each.id}, {each.column}", err=True)
    if report.unreadable and not forget_unreadable:
        click.echo(UNREADABLE, err=True)
        sys.exit(1)
