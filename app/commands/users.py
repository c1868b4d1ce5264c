"""`manage.py users`: who may sign in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import with_appcontext

from app.auth.passwords import Unacceptable
from app.commands.output import epilog, show_json
from app.models import User
from app.services import users as accounts

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@click.group("users")
def users() -> None:
    """
    Create users, set passwords, block, unblock, and choose administrators.

    Each command prints the user as JSON: {"id": 1, "email": "ada@example.org"}.
    """


@users.command(
    "create",
    epilog=epilog(
        "users create ada@example.org --admin",
        "users create ada@example.org --password-stdin < password.txt",
        exit_1="there is such a user, or address or password is unacceptable",
    ),
)
@click.argument("email")
@click.option("--admin", is_flag=True, help="Make the user an administrator.")
@password_option
@with_appcontext
def create(email: str, admin: bool, password_stdin: bool) -> None:
    """
    Create a verified user.

    The password (at least 8 characters) is asked for, or read from standard input.
    """
    with _complaining():
        accounts.check_email(email)  # before asking for a password
        _show(accounts.create_user(email, _password(password_stdin), is_admin=admin))


@users.command(
    "password",
    epilog=epilog(
        "users password ada@example.org",
        exit_1="there is no such user, or the password is unacceptable",
    ),
)
@click.argument("email")
@password_option
@with_appcontext
def change_password(email: str, password_stdin: bool) -> None:
    """Set a user's password and end all of their sessions at once."""
    with _complaining():
        _show(accounts.change_password(email, _password(password_stdin)))


@users.command(
    "block", epilog=epilog("users block ada@example.org", exit_1="there is no such user")
)
@click.argument("email")
@with_appcontext
def block(email: str) -> None:
    """Keep a user from signing in, and end all of their sessions at once."""
    with _complaining():
        _show(accounts.block_user(email))


@users.command(
    "unblock", epilog=epilog("users unblock ada@example.org", exit_1="there is no such user")
)
@click.argument("email")
@with_appcontext
def unblock(email: str) -> None:
    """Let a blocked user sign in again."""
    with _complaining():
        _show(accounts.unblock_user(email))


@users.command(
    "admin",
    epilog=epilog(
        "users admin ada@example.org --grant",
        "users admin ada@example.org --revoke",
        exit_1="there is no such user, or nobody else is an administrator",
    ),
)
@click.argument("email")
@click.option("--grant", is_flag=True, help="Make the user an administrator.")
@click.option("--revoke", is_flag=True, help="Take these rights away.")
@with_appcontext
def admin(email: str, grant: bool, revoke: bool) -> None:
    """Make a user an administrator, or no longer one. The last administrator stays."""
    if grant == revoke:
        raise click.UsageError("Say either --grant or --revoke.")
    with _complaining():
        _show(accounts.grant_admin(email) if grant else accounts.revoke_admin(email))


def _show(user: User) -> None:
    show_json({"id": user.id, "email": user.email})


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
    except accounts.LastAdministrator as error:
        raise click.ClickException(
            f"{error} is the last administrator. Make another user one first."
        ) from None
    except Unacceptable as error:
        raise click.ClickException(str(error)) from None
