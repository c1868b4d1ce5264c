"""What an import tells: a line for every row that a person should know of, and the counts."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from app.importing.facts import Remark


@dataclass
class ImportReport:
    """
    The course of an import.

    *lines* takes the rows as lines of JSON (`table`, `id`, `reason`, `action`), each row once. They
    hold neither secrets nor e-mail addresses.
    """

    lines: TextIO | None = None
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    omitted: Counter[tuple[str, str]] = field(default_factory=Counter)
    administrators: list[tuple[int, str]] = field(default_factory=list, repr=False)
    mode: str | None = None
    not_imported: int = 0

    def count(self, table: str, what: str, number: int = 1) -> None:
        """Count *number* rows of *table* as *what* became of them."""
        if number:
            self.counts[table, what] += number

    def omit(self, table: str, label: str, number: int = 1) -> None:
        """Count what is left out on purpose."""
        if number:
            self.omitted[table, label] += number

    def refuse(self, table: str, row_id: int, *remarks: Remark) -> None:
        """Report a row, or a change to one, that could not be imported."""
        self.not_imported += 1
        self.count(table, "not imported")
        self.tell(table, row_id, remarks)

    def tell(self, table: str, row_id: int, remarks: Sequence[Remark]) -> None:
        """Report what a person should know of a row."""
        if not remarks or self.lines is None:
            return
        line = {
            "table": table,
            "id": row_id,
            "reason": ", ".join(dict.fromkeys(each.reason for each in remarks)),
            "action": "; ".join(dict.fromkeys(each.action for each in remarks)),
        }
        self.lines.write(json.dumps(line, ensure_ascii=False) + "\n")
