"""An Open Event Server's database, and the command that imports it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.commands.import_open_event import import_
from app.extensions import db
from tests.importing.open_event import OpenEvent
from tests.postgres import PostgresServer


@dataclass
class Imported:
    """What an import said: its exit status, its output, and the lines of its report."""

    result: Result
    lines: list[dict[str, Any]]

    @property
    def status(self) -> int:
        """The exit status."""
        return self.result.exit_code

    @property
    def output(self) -> str:
        """What was printed, on both streams."""
        return self.result.output

    def reason(self, table: str, row_id: int) -> str | None:
        """Why a row was reported, if it was."""
        found = [each for each in self.lines if (each["table"], each["id"]) == (table, row_id)]
        return found[0]["reason"] if found else None

    def action(self, table: str, row_id: int) -> str:
        """What was done with a row that was reported."""
        return next(
            each["action"] for each in self.lines if (each["table"], each["id"]) == (table, row_id)
        )


@pytest.fixture(name="open_event")
def _open_event(postgres_server: PostgresServer) -> Iterator[OpenEvent]:
    """An empty database of Open Event Server."""
    url = postgres_server.create_database()
    source = OpenEvent(url)
    yield source
    source.close()
    postgres_server.drop_database(url)


@pytest.fixture(name="bring")
def _bring(app: Flask, open_event: OpenEvent, tmp_path: Path) -> Callable[..., Imported]:
    """Runs the import in this process."""

    def bring(*options: str, url: str | None = None) -> Imported:
        report = tmp_path / "report.jsonl"
        arguments = ["open-event", "--report", str(report), *options]
        config = app.extensions["config"]
        object.__setattr__(config, "open_event_database_url", url or open_event.url)
        result = app.test_cli_runner().invoke(import_, arguments)
        db.session.rollback()
        text = report.read_text() if report.exists() else ""
        return Imported(result, [json.loads(line) for line in text.splitlines()])

    return bring
