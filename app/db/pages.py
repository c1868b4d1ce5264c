"""Pages of collections."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, Select, bindparam

from app.db.compiled import CompiledSelect
from app.db.reads import read


@dataclass(frozen=True)
class Page:
    """Which part of a collection is wanted, in which order, under which conditions."""

    number: int = 1
    size: int = 20
    filters: list[ColumnElement[bool]] = field(default_factory=list)
    order: list[ColumnElement[Any]] = field(default_factory=list)

    def of(self, statement: Select[*tuple[Any, ...]], last_resort: Any) -> Select[*tuple[Any, ...]]:
        """Return *statement* for this page; *last_resort* orders what the order leaves open."""
        ordered = statement.order_by(*self.order, last_resort)
        return ordered.limit(self.size).offset((self.number - 1) * self.size)


class PagedQuery:
    """
    A collection by two statements: its *rows*, in the order of *last_resort*, and their *count*.

    Pages without conditions and in no other order, which most are, are read by compiled ones.
    """

    def __init__(
        self, rows: Select[*tuple[Any, ...]], count: Select[*tuple[Any, ...]], last_resort: Any
    ) -> None:
        self._rows, self._count, self._last_resort = rows, count, last_resort
        size, skipped = bindparam("size", type_=BigInteger), bindparam("skipped", type_=BigInteger)
        self._plain_rows = CompiledSelect(rows.order_by(last_resort).limit(size).offset(skipped))
        self._plain_count = CompiledSelect(count)

    def read(self, page: Page, known: dict[str, Any]) -> tuple[int, Sequence[Row[Any] | Any]]:
        """Return how many there are, and *page*; *known* are the statements' parameters."""
        if page.filters or page.order:
            rows = page.of(self._rows.where(*page.filters), self._last_resort)
            return read(self._count.where(*page.filters), known)[0][0], read(rows, known)
        place = {"size": page.size, "skipped": (page.number - 1) * page.size}
        return read(self._plain_count, known)[0][0], read(self._plain_rows, {**known, **place})
