"""
The whole import, table by table.

Each table comes in one transaction, in an order in which nothing refers to what is not there yet:
a run that breaks off leaves whole tables, and the next one does the rest.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import TypeVar

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.clock import database_now
from app.db.transactions import transaction
from app.importing import target
from app.importing.deletions import delete_events, linked_accounts
from app.importing.gone import report_gone
from app.importing.ids import KINDS, keep_ids_apart
from app.importing.link_rows import LinkSettings
from app.importing.merging import Digester
from app.importing.platform_keys import PREFIXES
from app.importing.report import ImportReport
from app.importing.source import BATCH, Source
from app.importing.target import Run
from app.importing.write_events import write_events
from app.importing.write_keys import OUR_ROW, write_keys
from app.importing.write_links import in_groups, write_links
from app.importing.write_roles import write_all_roles
from app.importing.write_users import write_users
from app.models import Setting
from app.services.platform.registration import read_digest_key

LOCK = int.from_bytes(sha256(b"import open-event").digest()[:8], signed=True)
Item = TypeVar("Item")
Track = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
Transaction = Callable[[], AbstractContextManager[Session]]


class ImportRunning(Exception):
    """Another import is at work on our database."""


class UnknownRow(LookupError):
    """There is no row of the id that was named; the message says in which table."""


class _Rehearsed(Exception):
    """Ends the transaction of a dry run."""


@dataclass(frozen=True)
class Options:
    """How an import is asked for; *taken* are the links chosen among several."""

    with_admin_rights: bool = True
    taken: frozenset[int] = frozenset()
    settings_id: int | None = None
    is_dry_run: bool = False


def run_import(
    source: Source,
    options: Options,
    report: ImportReport,
    track: Track = lambda label, total: nullcontext(lambda rows: None),
) -> None:
    """
    Bring what *source* has into our tables, and tell *report* about it.

    *track* is entered with the label and the number of rows of each table, and yields a function
    that is called with every number of rows that are done. A dry run leaves no trace.

    Raises SourceError, ImportRunning, UnknownRow and SecretUnreadable.
    """
    _check_taken(source, options.taken)
    if options.is_dry_run:
        with _rehearsal() as session:
            _run(source, options, report, track, lambda: nullcontext(session))
    else:
        _run(source, options, report, track, transaction)


def _check_taken(source: Source, taken: Collection[int]) -> None:
    statement = "SELECT id FROM stripe_authorizations WHERE id = ANY(%(ids)s)"
    known = {row[0] for row in source.rows(statement, {"ids": sorted(taken)})}
    if unknown := sorted(set(taken) - known):
        raise UnknownRow(f"row {unknown[0]} in stripe_authorizations")


@contextmanager
def _rehearsal() -> Iterator[Session]:
    try:
        with transaction() as session:
            yield session
            raise _Rehearsed
    except _Rehearsed:
        pass


def _run(
    source: Source, options: Options, report: ImportReport, track: Track, begin: Transaction
) -> None:
    with _step(begin) as session:
        run = start_run(session, options, report)
        if not options.is_dry_run:
            for model in KINDS:
                keep_ids_apart(session.connection(), model)
        _import_users(run, source, track)
    with _step(begin):
        _import_events(run, source, track)
    with _step(begin):
        _import_roles(run, source, track)
    with _step(begin):
        _import_settings(run, source, options.settings_id)
    with _step(begin):
        _import_links(run, source, track)
    for (table, label), statement in source.queries.without_counterpart().items():
        [(number,)] = source.rows(statement)
        run.report.omit(table, label, number)
    _delete_events(run, source, begin, at_once=options.is_dry_run)
    with _step(begin):
        for table in (target.USERS, target.EVENTS, target.LINKS):
            report_gone(run, table, _ids(source, table))


@contextmanager
def _step(begin: Transaction) -> Iterator[Session]:
    """
    One table's transaction; no other import runs at the same time.

    It may take long, and wait for the other database: the limits that guard short transactions do
    not apply.
    """
    with begin() as session:
        if session.get_bind().dialect.name == "postgresql":
            for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                session.execute(text(f"SET LOCAL {name} = 0"))
            if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}):
                raise ImportRunning
        yield session


def start_run(session: Session, options: Options, report: ImportReport) -> Run:
    """Return what importing in the current transaction needs. Raises SecretUnreadable."""
    setting = session.get_one(Setting, OUR_ROW, populate_existing=True)
    key = read_digest_key(setting, session)
    return Run(
        session=session,
        digester=Digester(sha256(f"imported rows {key}".encode()).digest()),
        report=report,
        moment=session.execute(select(database_now())).scalar_one(),
        with_admin_rights=options.with_admin_rights,
        taken=options.taken,
    )


def _import_users(run: Run, source: Source, track: Track) -> None:
    twins = dict(source.rows(source.queries.twins()))
    with track("Users", _count(source, target.USERS)) as advance:
        for batch in _batches(source.users()):
            write_users(run, batch, twins)
            advance(len(batch))


def _import_events(run: Run, source: Source, track: Track) -> None:
    twins = {row[0] for row in source.rows(source.queries.shared_identifiers())}
    with track("Events", _count(source, target.EVENTS)) as advance:
        for batch in _batches(source.events()):
            write_events(run, batch, twins=twins)
            advance(len(batch))


def _import_roles(run: Run, source: Source, track: Track) -> None:
    with track("Roles", _count(source, target.ROLES)) as advance:
        for number in write_all_roles(run, source.roles()):
            advance(number)
    for name, number in source.rows(source.queries.other_roles()):
        run.report.omit(target.ROLES, f"roles named {name}", number)
    pending = source.queries.pending_group_roles()
    if pending is not None:
        [(number,)] = source.rows(pending)
        run.report.omit(target.ROLES, "group roles not accepted, or without an account", number)


def _import_settings(run: Run, source: Source, settings_id: int | None) -> None:
    try:
        write_keys(run, source.settings(), settings_id)
    except LookupError:
        raise UnknownRow(f"row {settings_id} in settings") from None


def _import_links(run: Run, source: Source, track: Track) -> None:
    setting = run.session.get_one(Setting, OUR_ROW, populate_existing=True)
    platform = LinkSettings(
        client_ids={
            livemode: getattr(setting, f"{prefix}client_id")
            for livemode, prefix in PREFIXES.items()
        },
        code_digest_key=read_digest_key(setting, run.session),
    )
    with track("Links", _count(source, target.LINKS)) as advance:
        for batch in in_groups(source.links()):
            write_links(run, batch, platform)
            advance(len(batch))


def _delete_events(run: Run, source: Source, begin: Transaction, *, at_once: bool) -> None:
    """
    Each in a short transaction, like an event that its owner deletes.

    *at_once* in a single transaction, which locks all events before any account.
    """
    if not run.deletions:
        return
    with _step(begin) as session:
        accounts = linked_accounts(session, [each.event_id for each in run.deletions])
    statement = source.queries.accounts_in_use()
    in_use = {row[0] for row in source.rows(statement, {"accounts": sorted(accounts)})}
    for deletions in [run.deletions] if at_once else [[each] for each in run.deletions]:
        with _step(begin):
            delete_events(run, deletions, in_use)


def _ids(source: Source, table: str) -> Iterator[int]:
    return (row[0] for row in source.stream(source.queries.ids(table)))


def _count(source: Source, table: str) -> int:
    [(number,)] = source.rows(source.queries.count(table))
    return int(number)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
