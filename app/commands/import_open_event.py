"""`manage.py import`: coming from another system."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError, IntegrityError, TimeoutError

from app.commands.output import epilog, progress
from app.db.types import LARGEST_ID
from app.importing.report import ImportReport
from app.importing.run import ImportRunning, Options, UnknownRow, run_import
from app.importing.source import Source, SourceError, refuse_password
from app.security.crypto import SecretUnreadable

NOT_ALL_CAME = 3


@click.group("import")
def import_() -> None:
    """Bring data from another system."""


@import_.command(
    "open-event",
    epilog=epilog(
        "import open-event --dry-run --report report.jsonl",
        "import open-event --from postgresql://reader@db.example/oevent",
        exit_1="it could not run",
        exit_3="rows could not come; the report names each",
    ),
)
@click.option(
    "--from",
    "url",
    metavar="URL",
    help="PostgreSQL of an Open Event Server, without a password. [default:"
    " OPEN_EVENT_DATABASE_URL]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--report",
    "file",
    type=click.File("w", encoding="utf-8", lazy=False),
    help="Write a line of JSON for every row that a person should know of.",
)
@click.option(
    "--take",
    "taken",
    type=click.IntRange(1, LARGEST_ID),
    metavar="ID",
    multiple=True,
    help="Of several accounts for one event take the link with this id. May be repeated.",
)
@click.option(
    "--settings-id",
    type=click.IntRange(1, LARGEST_ID),
    metavar="ID",
    help="The row of settings that counts.",
)
@click.option("--no-admins", is_flag=True, help="Bring administrators as plain users.")
@with_appcontext
def open_event(
    url: str | None,
    dry_run: bool,
    file: TextIO | None,
    taken: tuple[int, ...],
    settings_id: int | None,
    no_admins: bool,
) -> None:
    """
    Bring users, events, roles, settings and links of an Open Event Server.

    Only reads there. Run again, it brings what has changed there since, and leaves alone what was
    changed here.
    """
    report = ImportReport(file)
    options = Options(
        with_admin_rights=not no_admins,
        taken=frozenset(taken),
        settings_id=settings_id,
        is_dry_run=dry_run,
    )
    with _complaining(), Source(_checked(url)) as source:
        run_import(source, options, report, progress)
    _tell(report, dry_run)
    sys.exit(NOT_ALL_CAME if report.not_imported else 0)


def _checked(url: str | None) -> str:
    """Return the URL to read from. Raises SourceError if there is none, or one with a password."""
    if url is not None:
        refuse_password(url)
        return url
    configured: str = current_app.extensions["config"].open_event_database_url
    if not configured:
        raise SourceError("No database to import from: set OPEN_EVENT_DATABASE_URL, or use --from.")
    return configured


def _tell(report: ImportReport, is_dry_run: bool) -> None:
    if is_dry_run:
        click.echo("Dry run: nothing was changed.")
    for (table, what), number in report.counts.items():
        click.echo(f"{table}: {number} {what}")
    for (table, label), number in report.omitted.items():
        click.echo(f"{table}: left out {number} {label}")
    if report.mode is not None:
        click.echo(
            f"stripe-mode is {report.mode} now, as there. Change it in the settings if need be."
        )
    for user_id, email in report.administrators:
        click.echo(f"Administrator: user {user_id}, {email}")
    if report.not_imported:
        click.echo(f"Not imported: {report.not_imported}. --report FILE says which and why.")


@contextmanager
def _complaining() -> Iterator[None]:
    """Say on standard error why the import could not run, with exit status 1."""
    try:
        yield
    except (SourceError, SecretUnreadable) as error:
        raise click.ClickException(str(error)) from None
    except ImportRunning:
        raise click.ClickException("Another import is running.") from None
    except UnknownRow as error:
        raise click.ClickException(f"There is no {error} there.") from None
    except IntegrityError:
        raise click.ClickException(
            "Something that must be unique was taken here while the import was at work."
            " Tables that were done stay so; run this again."
        ) from None
    except (DBAPIError, TimeoutError):
        raise click.ClickException(
            "Our own database went away, or kept us waiting for too long."
            " Tables that were done stay so; run this again."
        ) from None
