"""`manage.py stripe`: what an operator does about Stripe."""

import sys
from collections.abc import Iterator
from dataclasses import asdict

import click
from flask import current_app
from flask.cli import with_appcontext

from app.commands.output import epilog, json_option, show_json, show_rows, tracked
from app.services.deauthorization import reconcile as reconciling
from app.services.deauthorization.outbox import mark_done
from app.services.mirror.reconcile import MirrorReport
from app.services.platform.checks import check_platform


@click.group("stripe")
def stripe() -> None:
    """Reconcile with Stripe, check the platform's keys, or stand in for Stripe."""


@stripe.command(
    "reconcile",
    epilog=epilog(
        "stripe reconcile",
        "stripe reconcile --due    # every few minutes, from a timer",
        exit_1="something needs a person; each is named",
    ),
)
@click.option(
    "--due",
    is_flag=True,
    help="Only what is due: failures wait for their back-off, accounts are refreshed once a day."
    " Prints nothing if nothing was due.",
)
@click.option(
    "--forget",
    metavar="ACCOUNT",
    multiple=True,
    help="First mark this account's pending deauthorization as done: a person has disconnected it.",
)
@json_option
@with_appcontext
def reconcile(due: bool, forget: tuple[str, ...], as_json: bool) -> None:
    """
    Finish what was left undone.

    Closes interrupted attempts, delivers pending deauthorizations (after waiting for one that
    another process is delivering), refreshes connected accounts and purges what is outdated. Any
    number may run at once.
    """
    marked = {account_id: mark_done(account_id) for account_id in forget}
    report = reconciling.reconcile(current_app.extensions["stripe"], only_due=due, track=tracked)
    if as_json:
        show_json({**asdict(report), "marked_done": marked})
    else:
        _tell(report, marked, only_due=due)
    sys.exit(1 if report.problems else 0)


def _tell(report: reconciling.ReconcileReport, marked: dict[str, int], *, only_due: bool) -> None:
    for account_id, count in marked.items():
        click.echo(f"Marked as done for {account_id}: {count}")
    for is_news, line in _lines(report):
        if is_news or not only_due:
            click.echo(line)
    for account_id in report.disconnected:
        click.echo(f"Disconnected at Stripe, its links are erased: {account_id}")
    for problem in report.problems:
        click.echo(f"Needs a person: {problem}")


def _lines(report: reconciling.ReconcileReport) -> Iterator[tuple[bool, str]]:
    """Yield what to print of a run, each with whether it says that anything was done."""
    yield report.closed > 0, f"Attempts closed as interrupted: {report.closed}"
    yield (
        report.tried > 0,
        f"Deauthorizations: {report.delivered} done, {report.pending} pending",
    )
    if report.in_delivery:
        yield True, f"Deauthorizations that another process is delivering: {report.in_delivery}"
    payments = report.payments
    yield (
        payments.found > 0,
        f"Unclear payments: {payments.found} found, {payments.finished} finished",
    )
    if report.mirror is not None:
        yield from _mirror_lines(report.mirror)
    yield report.refreshed > 0, f"Accounts refreshed: {report.refreshed}"
    yield report.purged > 0, f"Outdated rows deleted: {report.purged}"


def _mirror_lines(mirror: MirrorReport) -> Iterator[tuple[bool, str]]:
    yield (
        mirror.delivered > 0,
        f"Events mirrored to Open Event Server: {mirror.delivered} done, {mirror.pending} pending",
    )
    for event_id in mirror.put_right:
        yield True, f"Put right in Open Event Server's database: event {event_id}"
    for hint in mirror.hints:
        yield False, f"Note: {hint}"


@stripe.command(
    "check",
    epilog=epilog(
        "stripe check",
        "stripe check --json",
        exit_1="a key is wrong, or the mode in force has none",
    ),
)
@json_option
@with_appcontext
def check(as_json: bool) -> None:
    """
    Check the platform's keys, per mode.

    Asks Stripe, and never disconnects an account.
    """
    found = check_platform(current_app.extensions["stripe"])
    show_rows([asdict(each) for each in found.checks], as_json=as_json)
    sys.exit(0 if found.ok else 1)


@stripe.command("emulate", epilog=epilog("stripe emulate", "stripe emulate --port 12112"))
@click.option("--port", type=click.IntRange(0, 65535), default=12111, show_default=True)
@click.option("--redirect-uri", "redirect_uris", multiple=True, metavar="URI")
@click.option("--webhook-url", metavar="URL", help="Where its events are sent.")
def emulate(port: int, redirect_uris: tuple[str, ...], webhook_url: str | None) -> None:
    """Run the local Stripe, which stands in for Stripe. Needs no configuration; Ctrl-C ends it."""
    from app.devtools import stripe_emulator  # here alone: the service does not know it

    stripe_emulator.run(port=port, redirect_uris=redirect_uris, webhook_url=webhook_url)
