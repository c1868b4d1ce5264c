"""How commands speak: tables for people, JSON for programs, progress on a terminal alone."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import click

Item = TypeVar("Item")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def epilog(*examples: str, **statuses: str) -> str:
    """
    Return the end of a command's help: *examples* without `python manage.py`, and what its exit
    statuses mean, as `exit_1="…"`.
    """
    lines = ["\b", "Examples:", *(f"  python manage.py {example}" for example in examples)]
    if statuses:
        lines += ["", "\b", "Exit status:", "  0  success"]
        lines += [f"  {name[-1]}  {meaning}" for name, meaning in statuses.items()]
    return "\n".join(lines)


def show_json(value: object) -> None:
    """Print *value* as one line of JSON on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False))


def show_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool, none: str = "") -> None:
    """
    Print *rows*, all with the same names, as a table or as a JSON array. Where there are no rows,
    a person reads *none*.
    """
    if as_json:
        show_json([dict(row) for row in rows])
    elif rows:
        _show_table(rows)
    elif none:
        click.echo(none)


def _show_table(rows: Sequence[Mapping[str, object]]) -> None:
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told how many more are done; the bar is on standard error."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=total, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield bar.update


def tracked(label: str, items: Sequence[Item]) -> Iterable[Item]:
    """Yield *items*, with a progress bar."""
    with progress(label, len(items)) as advance:
        for item in items:
            yield item
            advance(1)
