"""`manage.py users`: who may sign in."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import with_appcontext

from app.auth.passwords import Unacceptable
from app.models import User
from app.services import users as accounts

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@click.group("users")
def users() -> None:
    """Create users, change passwords, block and unblock."""


@users.command("create")
@click.argument("email")
@click.option("--admin", is_flag=True, help="Let the user do everything.")
@password_option
@with_appcontext
def create(email: str, admin: bool, password_stdin: bool) -> None:
    """Create a verified user. The password is read or asked for, and never an argument."""
    with _complaining():
        accounts.check_email(email)  # before anybody is asked for a password
        _show(accounts.create_user(email, _password(password_stdin), is_admin=admin))


@users.command("password")
@click.argument("email")
@password_option
@with_appcontext
def change_password(email: str, password_stdin: bool) -> None:
    """Give a user another password, which ends every session of theirs at once."""
    with _complaining():
        _show(accounts.change_password(email, _password(password_stdin)))


@users.command("block")
@click.argument("email")
@with_appcontext
def block(email: str) -> None:
    """Let a user in no more, and end every session of theirs at once."""
    with _complaining():
        _show(accounts.block_user(email))


@users.command("unblock")
@click.argument("email")
@with_appcontext
def unblock(email: str) -> None:
    """Let a blocked user sign in again."""
    with _complaining():
        _show(accounts.unblock_user(email))


def _show(user: User) -> None:
    click.echo(json.dumps({"id": user.id, "email": user.email}, ensure_ascii=False))


def _password(from_stdin: bool) -> str:
    if not from_stdin:
        return click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise Unacceptable("The password is not UTF-8.") from None
    # One line's end is the shell's, any other is part of the password.
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


@contextmanager
def _complaining() -> Iterator[None]:
    """Say on standard error what is wrong, with exit status 1."""
    try:
        yield
    except accounts.UserExists as error:
        raise click.ClickException(f"There is a user {error} already.") from None
    except accounts.UnknownUser as error:
        raise click.ClickException(f"There is no user {error}.") from None
    except accounts.NotAnEmail as error:
        raise click.ClickException(f"{str(error)!r} is not an e-mail address.") from None
    except Unacceptable as error:
        raise click.ClickException(str(error)) from None
