"""`manage.py users`: who may sign in."""

import click


@click.group("users")
def users() -> None:
    """Create users, change passwords, block and unblock."""
