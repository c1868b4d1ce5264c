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
from app.services import audit

BATCH = 50  # rows read at a time


@dataclass(frozen=True)
class UnreadableSecret:
    """Where a secret is that no key opens, or that was sealed in another context."""

    table: str
    id: int
    column: str


@dataclass
class RotationReport:
    """How many secrets were re-encrypted, how many were so already, and which cannot be read."""

    rotated: int = 0
    unchanged: int = 0
    unreadable: list[UnreadableSecret] = field(default_factory=list)


@dataclass
class Finding:
    """What one row needs: *changes* has old and fresh ciphertext (None: erased) by attribute."""

    changes: dict[str, tuple[Sealed, Sealed | None]] = field(default_factory=dict)
    unchanged: int = 0
    unreadable: list[UnreadableSecret] = field(default_factory=list)


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


def rotate_secrets(
    cipher: Cipher,
    tell: Callable[[int], Any] = lambda rows: None,
    *,
    forget_unreadable: bool = False,
) -> RotationReport:
    """
    Re-encrypt every secret with the first key of *cipher*; *tell* is called with
    how many rows were done.

    May run beside the service and beside itself, be killed and be run again: each row is swapped
    for itself, and only while it still has the ciphertext that was read. So no other row is locked
    while one is waited for. What cannot be opened is reported and stops nothing; it is left as it
    is, or erased with *forget_unreadable*, which is on the audit trail.
    """
    report = RotationReport()
    db.session.rollback()
    for model, columns in secret_columns().items():
        for row_ids in _batches(model):
            for row_id in row_ids:
                _rotate_row(report, cipher, model, columns, row_id, forget_unreadable)
            tell(len(row_ids))
    return report


def _batches(model: type[Any]) -> Iterator[Sequence[int]]:
    """Yield the ids of all rows, in order."""
    last = 0
    while rows := read(select(model.id).where(model.id > last).order_by(model.id).limit(BATCH)):
        yield [row.id for row in rows]
        last = rows[-1].id


def _rotate_row(
    report: RotationReport,
    cipher: Cipher,
    model: type[Any],
    columns: list[str],
    row_id: int,
    forget_unreadable: bool,
) -> None:
    """Compare and swap; a row that was changed in between is read again under its lock."""
    row = db.session.get(model, row_id, populate_existing=True)
    finding = _examine(cipher, row, columns, forget_unreadable)
    db.session.rollback()
    if finding.changes:
        with transaction() as session:
            if not _swap(session, model, row_id, finding):
                lock = {"key_share": True}
                row = session.get(model, row_id, with_for_update=lock, populate_existing=True)
                finding = _examine(cipher, row, columns, forget_unreadable)
                _swap(session, model, row_id, finding)
            for each in finding.unreadable if forget_unreadable else ():
                audit.record("secret.forget", f"{each.table} {each.id}, {each.column}")
    report.rotated += sum(fresh is not None for _, fresh in finding.changes.values())
    report.unchanged += finding.unchanged
    report.unreadable += finding.unreadable


def _examine(cipher: Cipher, row: Any, columns: list[str], forget_unreadable: bool) -> Finding:
    """
    Find out which secrets of *row* are to be sealed anew; each must open where it is. A row that is
    gone (None) has none.
    """
    finding = Finding()
    for column in columns if row is not None else ():
        sealed = getattr(row, column)
        if sealed is None:
            continue
        try:
            cipher.open(sealed, row.secret_context(column))
        except SecretUnreadable:
            name = row.__mapper__.column_attrs[column].columns[0].name
            finding.unreadable.append(UnreadableSecret(row.__tablename__, row.id, name))
            if forget_unreadable:
                finding.changes[column] = (sealed, None)
            continue
        fresh = cipher.reseal(sealed)
        if fresh != sealed:
            finding.changes[column] = (sealed, fresh)
        else:
            finding.unchanged += 1
    return finding


def _swap(session: Any, model: type[Any], row_id: int, finding: Finding) -> bool:
    """Write the row's fresh secrets if it still has those that were read."""
    if not finding.changes:
        return True
    done = session.execute(
        update(model)
        .where(
            model.id == row_id,
            *(getattr(model, column) == old for column, (old, _) in finding.changes.items()),
        )
        .values({column: fresh for column, (_, fresh) in finding.changes.items()})
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount == 1)
