"""`manage.py secrets`: keys for secrets at rest."""

import click
from cryptography.fernet import Fernet


@click.group("secrets")
def secrets() -> None:
    """Keys for secrets at rest."""


@secrets.command("generate")
def generate() -> None:
    """Print a fresh encryption key."""
    click.echo(Fernet.generate_key().decode())
