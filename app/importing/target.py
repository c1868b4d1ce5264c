"""What all writing of imported rows shares: the run, and what is kept of what was brought."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Table, bindparam, column, select, tuple_, values
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.db.clock import database_now
from app.importing.facts import Mapped, Remark
from app.importing.merging import Digester
from app.importing.report import ImportReport
from app.models import ImportedRow

USERS, EVENTS, LINKS, SETTINGS = "users", "events", "stripe_authorizations", "settings"
ROLES = "users_events_roles"


@dataclass(frozen=True, slots=True)
class Deletion:
    """An event that was deleted there, and is to be deleted here once its links are decided."""

    event_id: int
    deleted_at: datetime
    remarks: tuple[Remark, ...]


@dataclass
class Run:
    """
    An import: how it was asked for, and what it has found out so far.

    *moment* stands for the times that are not known. *held_fields* are names of users' columns
    that are left as they are where a user has come before.
    """

    session: Session
    digester: Digester
    report: ImportReport
    moment: datetime
    with_admin_rights: bool = True
    taken: frozenset[int] = frozenset()
    held_fields: tuple[str, ...] = ()
    deletions: list[Deletion] = field(default_factory=list)


def find_known(session: Session, source: str, ids: Collection[int]) -> dict[int, str]:
    """Return the digests of the rows that were imported before, by id."""
    statement = select(ImportedRow.id, ImportedRow.digests).where(
        ImportedRow.source == source, ImportedRow.id.in_(ids)
    )
    return dict(session.execute(statement).all())


def find_ours(
    session: Session, model: Any, ids: Collection[int], fields: Iterable[str]
) -> dict[int, dict[str, Any]]:
    """Return the named columns of those rows of ours that have one of the ids."""
    columns = [getattr(model, name) for name in fields]
    rows = session.execute(select(model.id, *columns).where(model.id.in_(ids))).mappings()
    return {row["id"]: {str(name): row[name] for name in row} for row in rows}


def insert_new(session: Session, model: Any, rows: list[dict[str, Any]]) -> set[int]:
    """
    Insert *rows* and return the ids of those that went in.

    A row that conflicts with one created just now stays out; the next run reports it.
    """
    if not rows:
        return set()
    statement = _insert(session, model.__table__).on_conflict_do_nothing()
    return set(_execute_in_bulk(session, statement, rows))


def bring_new(
    run: Run,
    table: str,
    model: Any,
    fields: Sequence[str],
    fresh: Mapping[int, Mapped],
    rows: list[dict[str, Any]],
    taken: Remark,
) -> set[int]:
    """
    Insert the *rows* made from *fresh*, remember what was imported, and report on it.

    Return the ids of those that went in; the others are refused, with *taken* for the reason.
    """
    inserted = insert_new(run.session, model, rows)
    digests = {row_id: run.digester.pack(fields, fresh[row_id].values) for row_id in inserted}
    remember(run.session, table, digests)
    for row_id, result in fresh.items():
        if row_id in inserted:
            run.report.count(table, "imported")
            run.report.tell(table, row_id, result.remarks)
        else:
            run.report.refuse(table, row_id, taken)
    return inserted


def insert_quietly(session: Session, model: Any, rows: list[dict[str, Any]]) -> None:
    """Insert *rows*, but for those that are there already."""
    if rows:
        statement = _insert(session, model.__table__).on_conflict_do_nothing()
        _execute_in_bulk(session, statement, rows)


def remember(session: Session, source: str, digests: Mapping[int, str]) -> None:
    """Store the digests of what was imported now, by row id."""
    if not digests:
        return
    statement = _insert(session, ImportedRow.__table__)
    statement = statement.on_conflict_do_update(
        index_elements=["source", "id"],
        set_={"digests": statement.excluded.digests, "read_at": database_now()},
    )
    rows = [{"source": source, "id": key, "digests": value} for key, value in digests.items()]
    _execute_in_bulk(session, statement, rows)


def delete_rows(session: Session, model: Any, rows: list[dict[str, Any]]) -> None:
    """Delete the rows of *model* that have all the values of one of *rows*."""
    if not rows:
        return
    table, connection = model.__table__, session.connection()
    if connection.dialect.name == "postgresql":  # which is slow at many small statements
        gone = values(*(column(name, table.c[name].type) for name in rows[0]), name="gone")
        gone = gone.data([tuple(row.values()) for row in rows])
        its_columns = tuple_(*(table.c[name] for name in rows[0]))
        connection.execute(table.delete().where(its_columns.in_(select(gone))))
        return
    conditions = (table.c[name] == bindparam(f"its_{name}") for name in rows[0])
    named = [{f"its_{name}": value for name, value in row.items()} for row in rows]
    connection.execute(table.delete().where(*conditions), named)


def _execute_in_bulk(session: Session, statement: Any, rows: list[dict[str, Any]]) -> list[Any]:
    """
    Insert *rows* by few statements; return the last part of the keys of those that went in.

    That it is asked for is what makes SQLAlchemy put many rows into one statement.
    """
    *_, key = statement.table.primary_key
    return list(session.connection().execute(statement.returning(key), rows).scalars())


def _insert(session: Session, table: Table) -> Any:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
