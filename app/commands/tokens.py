"""`manage.py tokens`: what programs may do."""

from datetime import timedelta

import click
from flask.cli import with_appcontext

from app.auth.service_tokens import SCOPES, create_token, list_tokens, revoke_token
from app.commands.output import epilog, json_option, show_json, show_rows
from app.db.transactions import transaction
from app.db.types import LARGEST_ID
from app.models import Event

ID = click.IntRange(1, LARGEST_ID)


@click.group("tokens")
def tokens() -> None:
    """Create, list and revoke service tokens, such as the ticketing server's."""


@tokens.command(
    "create",
    epilog=epilog(
        "tokens create ticketing --scope payments",
        "tokens create reports --scope read --event 7 --event 8 --expires 90",
        exit_1="there is no such event",
    ),
)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="read: what coorganizers see. payments: create, read and cancel payments.",
)
@click.option("--event", "event_ids", type=ID, multiple=True, help="Only for these events.")
@click.option("--expires", "days", type=click.IntRange(1, 3650), help="After so many days.")
@with_appcontext
def create(
    name: str, scopes: tuple[str, ...], event_ids: tuple[int, ...], days: int | None
) -> None:
    """
    Create a token and print it, this once: {"id": 1, "name": "ticketing", "token": "oest_…"}.
    """
    if not 1 <= len(name.strip()) <= 100 or not name.isprintable():
        raise click.ClickException("The name must have 1 to 100 printable characters.")
    _check_events(event_ids)
    made = create_token(
        name.strip(),
        list(scopes),
        event_ids=list(event_ids) or None,
        expires_in=timedelta(days=days) if days else None,
    )
    show_json({"id": made.id, "name": made.name, "token": made.token})


def _check_events(event_ids: tuple[int, ...]) -> None:
    with transaction() as session:
        unknown = [each for each in event_ids if session.get(Event, each) is None]
    if unknown:
        raise click.ClickException(f"There is no event {', '.join(map(str, unknown))}.")


@tokens.command("list", epilog=epilog("tokens list", "tokens list --json"))
@json_option
@with_appcontext
def list_(as_json: bool) -> None:
    """List every token with its scopes, its end and its last use; never the token itself."""
    rows = [
        {
            "id": each.id,
            "name": each.name,
            "scopes": each.scopes,
            "events": each.event_ids or "all",
            "expires_at": each.expires_at and f"{each.expires_at:%Y-%m-%dT%H:%M:%SZ}",
            "last_used_at": each.last_used_at and f"{each.last_used_at:%Y-%m-%dT%H:%M:%SZ}",
            "revoked_at": each.revoked_at and f"{each.revoked_at:%Y-%m-%dT%H:%M:%SZ}",
        }
        for each in list_tokens()
    ]
    show_rows(rows, as_json=as_json, none="There are no service tokens.")


@tokens.command("revoke", epilog=epilog("tokens revoke 3", exit_1="there is no such token"))
@click.argument("number", metavar="ID", type=ID)
@with_appcontext
def revoke(number: int) -> None:
    """End a token at once, on every instance."""
    if not revoke_token(number):
        raise click.ClickException(f"There is no service token {number}.")
    click.echo(f"Service token {number} is revoked.")
