"""`docs/troubleshooting.md` explains every code and every message that wants a person."""

import ast
import re

import pytest

from app import errors
from config import ROOT

GUIDE = (ROOT / "docs/troubleshooting.md").read_text()
ROWS = dict(re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", GUIDE, re.MULTILINE))
WHO = {"organizer", "administrator", "operator", "developer"}


def classes(kind: type[errors.ServiceError]) -> list[type[errors.ServiceError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in classes(child))]


def messages(*levels: str) -> set[str]:
    """Return what the service logs at *levels*, read from the calls themselves."""
    found = set()
    for file in (ROOT / "app").rglob("*.py"):
        if "devtools" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and ast.unparse(node.func.value) == "log"
                and node.func.attr in levels
            ):
                found.add(ast.literal_eval(node.args[0]))
    return found


def test_every_error_code_is_explained_with_its_status():
    raised = {
        kind.code: str(kind.status) for kind in classes(errors.ServiceError) if not kind.is_plain
    }

    assert raised == ROWS


@pytest.mark.parametrize("message", sorted(messages("error", "critical")))
def test_every_message_that_wants_a_person_is_explained(message):
    assert f"`{message}`" in GUIDE


def test_no_message_is_explained_that_nobody_logs():
    section = GUIDE.partition("### Messages of the level")[2].partition("## `stripe reconcile`")[0]
    explained = set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))

    assert explained
    assert explained <= messages("warning", "error", "critical")


def test_every_row_of_a_table_says_who_can_do_something():
    rows = re.findall(r"^\| [`\"].*\|$", GUIDE, re.MULTILINE)
    told = [row for row in rows if "manage.py" not in row and "curl" not in row]

    assert len(told) > 40
    for row in told:
        last = row.strip("| ").rpartition("|")[2]
        assert set(re.findall(r"[a-z]+", last)) & WHO, row
