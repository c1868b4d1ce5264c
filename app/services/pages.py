"""Pages of collections."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select


@dataclass(frozen=True)
class Page:
    """Which part of a collection is wanted, in which order, under which conditions."""

    number: int = 1
    size: int = 20
    filters: list[ColumnElement[bool]] = field(default_factory=list)
    order: list[ColumnElement] = field(default_factory=list)

    def of(self, statement: Select, last_resort: Any) -> Select:
        """Return *statement* for this page; *last_resort* orders what the order leaves open."""
        ordered = statement.order_by(*self.order, last_resort)
        return ordered.limit(self.size).offset((self.number - 1) * self.size)
