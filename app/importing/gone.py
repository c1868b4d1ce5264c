"""Finding rows that were imported and have since disappeared there."""

from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy import select

from app.importing.facts import Remark
from app.importing.target import Run
from app.models import ImportedRow

PAGE = 1000
LAST_ID = 2**31 - 1
GONE = Remark("gone", "left as it is here: its row has disappeared there")


def report_gone(run: Run, table: str, ids: Iterable[int]) -> None:
    """Report the rows of *table* that were brought and are not among *ids*, which are in order."""
    after = 0
    for page in _pages(iter(ids)):
        _report_between(run, table, after, page[-1], frozenset(page))
        after = page[-1]
    _report_between(run, table, after, LAST_ID, frozenset())


def _pages(ids: Iterator[int]) -> Iterator[list[int]]:
    while page := list(islice(ids, PAGE)):
        yield page


def _report_between(run: Run, table: str, after: int, until: int, there: frozenset[int]) -> None:
    statement = select(ImportedRow.id).where(ImportedRow.source == table, ImportedRow.id <= until)
    statement = statement.order_by(ImportedRow.id).limit(PAGE)
    found = [after]
    while found:
        found = list(run.session.scalars(statement.where(ImportedRow.id > found[-1])))
        for row_id in found:
            if row_id not in there:
                run.report.count(table, "gone there")
                run.report.tell(table, row_id, [GONE])
