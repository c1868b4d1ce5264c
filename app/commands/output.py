"""How commands speak: tables for people, JSON for programs, progress on a terminal alone."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

Item = TypeVar("Item")
WIDE = 1000  # columns where no terminal is: nothing is wrapped that a program may read

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
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many more are done; the bar is on standard error."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)


def tracked(label: str, items: Sequence[Item]) -> Iterable[Item]:
    """Yield *items*, with a progress bar."""
    with progress(label, len(items)) as advance:
        for item in items:
            yield item
            advance(1)
