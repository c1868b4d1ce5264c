"""
Re-encrypting every stored secret with the first key, while the service goes on.

A new key is brought in without a moment at which some instance cannot read:

1. append it at the END of ENCRYPTION_KEYS and restart every instance: all can read it;
2. put it first and restart every instance: all write with it;
3. `manage.py secrets rotate`;
4. remove the old key, once the command has ended with exit status 0.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, update

from app.db.reads import read
from app.db.transactions import transaction
from app.extensions import Base, db
from app.security.crypto import Cipher, EncryptedText, Sealed, SecretUnreadable

BATCH = 50  # rows; few enough that nobody waits for them noticeably


@dataclass(frozen=True)
class Unreadable:
    """Where a secret is that no key opens, or that was sealed for another place."""

    table: str
    id: int
    column: str


@dataclass
class Report:
    """How many secrets were re-encrypted, how many were so already, and which cannot be read."""

    rotated: int = 0
    unchanged: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)


@dataclass
class Finding:
    """What is to be done to one row: *changes* holds old and fresh ciphertext by attribute."""

    id: int
    changes: dict[str, tuple[Sealed, Sealed]] = field(default_factory=dict)
    unchanged: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)


def secret_columns() -> dict[type[Any], list[str]]:
    """Return every model that has EncryptedText columns, with the attributes' names."""
    found = {}
    for mapper in sorted(Base.registry.mappers, key=lambda each: each.class_.__name__):
        names = [
            attribute.key
            for attribute in mapper.column_attrs
            if isinstance(attribute.columns[0].type, EncryptedText)
        ]
        if names:
            found[mapper.class_] = names
    return found


def count_rows() -> int:
    """Return how many rows `rotate_secrets` will go through, about."""
    counts = [select(func.count()).select_from(model) for model in secret_columns()]
    return sum(read(count)[0][0] for count in counts)


def rotate_secrets(cipher: Cipher, tell: Callable[[int], Any] = lambda rows: None) -> Report:
    """
    Re-encrypt every secret with the first key of *cipher*; *tell* hears of rows that are done.

    May run beside the service and beside itself, be killed and be run again. It locks no more than
    the rows of one batch, for one short transaction; waits for a lock only while it holds none, so
    that nobody ends in a deadlock because of it; and writes a secret only over the ciphertext that
    it has read. What cannot be opened is left as it is, reported, and stops nothing.
    """
    report = Report()
    for model, columns in secret_columns().items():
        for findings in _batches(cipher, model, columns):
            written = _write(model, [finding for finding in findings if finding.changes])
            for finding in findings:
                if finding.changes and finding.id not in written:
                    _count(report, _rotate_alone(cipher, model, columns, finding.id))
                else:
                    _count(report, finding)
            tell(len(findings))
    return report


def _batches(cipher: Cipher, model: type[Any], columns: list[str]) -> Iterator[list[Finding]]:
    """Examine all rows in the order of their ids, without a lock."""
    last = 0
    while True:
        db.session.rollback()
        rows = db.session.scalars(
            select(model)
            .where(model.id > last)
            .order_by(model.id)
            .limit(BATCH)
            .execution_options(populate_existing=True)
        ).all()
        findings = [_examine(cipher, row, columns) for row in rows]
        db.session.rollback()
        if not findings:
            return
        last = findings[-1].id
        yield findings


def _examine(cipher: Cipher, row: Any, columns: list[str]) -> Finding:
    """Find out which secrets of *row* are to be sealed anew; each must open at its place."""
    finding = Finding(row.id)
    for column in columns:
        sealed = getattr(row, column)
        if sealed is None:
            continue
        try:
            cipher.open(sealed, row.place(column))
        except SecretUnreadable:
            name = row.__mapper__.column_attrs[column].columns[0].name
            finding.unreadable.append(Unreadable(row.__tablename__, row.id, name))
            continue
        fresh = cipher.reseal(sealed)
        if fresh != sealed:
            finding.changes[column] = (sealed, fresh)
        else:
            finding.unchanged += 1
    return finding


def _write(model: type[Any], findings: Sequence[Finding]) -> set[int]:
    """Write what nobody else is changing; return the ids of the rows that were written."""
    if not findings:
        return set()
    ids = [finding.id for finding in findings]
    with transaction() as session:
        locked = set(
            session.scalars(
                select(model.id)
                .where(model.id.in_(ids))
                .with_for_update(key_share=True, skip_locked=True)
            )
        )
        return {
            finding.id
            for finding in findings
            if finding.id in locked and _swap(session, model, finding)
        }


def _swap(session: Any, model: type[Any], finding: Finding) -> bool:
    """Write the row's fresh secrets if it still has those that were read."""
    done = session.execute(
        update(model)
        .where(
            model.id == finding.id,
            *(getattr(model, column) == old for column, (old, _) in finding.changes.items()),
        )
        .values({column: fresh for column, (_, fresh) in finding.changes.items()})
        .execution_options(synchronize_session=False)
    )
    return done.rowcount == 1


def _rotate_alone(
    cipher: Cipher, model: type[Any], columns: list[str], row_id: int
) -> Finding | None:
    """Rotate a row that somebody else was changing: wait for them, and for nobody else."""
    with transaction() as session:
        row = session.scalars(
            select(model)
            .where(model.id == row_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        ).one_or_none()
        if row is None:
            return None
        finding = _examine(cipher, row, columns)
        if finding.changes:
            _swap(session, model, finding)
        return finding


def _count(report: Report, finding: Finding | None) -> None:
    if finding is not None:
        report.rotated += len(finding.changes)
        report.unchanged += finding.unchanged
        report.unreadable += finding.unreadable
