"""`manage.py stripe`: what an operator does about Stripe."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from app.security.crypto import SecretUnreadable
from app.services.deauthorization import reconcile as reconciling
from app.services.deauthorization.outbox import mark_done
from app.services.platform.checks import check_platform


@click.group("stripe")
def stripe() -> None:
    """Reconcile with Stripe, check the platform's keys, or stand in for Stripe."""


@stripe.command("reconcile")
@click.option(
    "--due",
    is_flag=True,
    help="Only what is due: failures wait for their back-off, accounts are refreshed once a day.",
)
@click.option(
    "--forget",
    metavar="ACCOUNT",
    multiple=True,
    help="First mark this account's pending deauthorization as done: a person has disconnected it.",
)
@with_appcontext
def reconcile(due: bool, forget: tuple[str, ...]) -> None:
    """
    Finish what was left undone. Exit status 1 if something needs a person.

    Closes interrupted attempts, delivers pending deauthorizations (after waiting for one that
    another process is delivering), refreshes connected accounts and purges what is outdated. Any
    number may run at once. With --due nothing is printed if nothing is due.
    """
    for account_id in forget:
        click.echo(f"Forgotten for {account_id}: {mark_done(account_id)}")
    try:
        report = reconciling.reconcile(
            current_app.extensions["stripe"], only_due=due, track=_progress_bar
        )
    except SecretUnreadable as error:
        raise click.ClickException(str(error)) from None
    for is_news, line in _lines(report):
        if is_news or not due:
            click.echo(line)
    for account_id in report.disconnected:
        click.echo(f"Disconnected at Stripe, its links are erased: {account_id}")
    for problem in report.problems:
        click.echo(f"Needs a person: {problem}")
    sys.exit(1 if report.problems else 0)


def _lines(report: reconciling.Report) -> Iterator[tuple[bool, str]]:
    """Yield what to print of a run, each with whether it says that anything was done."""
    yield report.closed > 0, f"Attempts closed as interrupted: {report.closed}"
    yield (
        report.tried > 0,
        f"Deauthorizations: {report.delivered} done, {report.pending} pending",
    )
    if report.in_delivery:
        yield True, f"Deauthorizations that another process is delivering: {report.in_delivery}"
    yield report.refreshed > 0, f"Accounts refreshed: {report.refreshed}"
    yield report.purged > 0, f"Outdated rows deleted: {report.purged}"


@stripe.command("check")
@with_appcontext
def check() -> None:
    """
    Say whether the platform's keys are right, per mode. Exit status 1 if not.

    Asks Stripe without disconnecting anybody.
    """
    found = check_platform(current_app.extensions["stripe"])
    for each in found.checks:
        click.echo(f"{each.mode:4}  {each.check:15}  {each.result:7}  {each.sentence}")
    sys.exit(0 if found.ok else 1)


@stripe.command("emulate")
@click.option("--port", type=click.IntRange(0, 65535), default=12111, show_default=True)
@click.option("--redirect-uri", "redirect_uris", multiple=True, metavar="URI")
@click.option("--webhook-url", metavar="URL", help="Where its events are sent.")
def emulate(port: int, redirect_uris: tuple[str, ...], webhook_url: str | None) -> None:
    """Stand in for Stripe on this machine. Needs no configuration; Ctrl-C ends it."""
    from app.devtools import stripe_emulator  # here alone: the service does not know it

    stripe_emulator.run(port=port, redirect_uris=redirect_uris, webhook_url=webhook_url)


def _progress_bar(label: str, items: Sequence[Any]) -> Iterator[Any]:
    """Yield *items*, with a bar on a terminal only."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(items, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield from bar
