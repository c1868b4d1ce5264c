"""Imports point one way, and nothing in the service knows the devtools."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What each room may import of ours, besides itself.
EVERYWHERE = {"errors", "extensions", "security", "telemetry"}
BELOW = {
    "telemetry": {"db", "models"},
    "api": {"auth", "db", "http", "jsonapi", "models", "services", "clients"},
    "web": {"auth", "db", "http", "models", "services"},
    "jsonapi": {"auth", "db"},
    "http": {"auth", "db", "jsonapi", "models"},
    "auth": {"db", "models"},
    "services": {"auth", "clients", "db", "models"},
    "importing": {"auth", "clients", "db", "models", "services"},
    "clients": set(),
    "models": {"db"},
    "db": {"models"},
}
# Rooms that know no web framework, and by nothing that they import either.
WITHOUT_FLASK = ("services", "clients", "models", "db", "security")
WEB = {"flask", "flask_cors", "flask_rest_jsonapi_next", "flask_wtf", "werkzeug"}
BRIDGE = "app.extensions"  # binds the database's session to the running application


@cache
def imported_by(path: Path) -> frozenset[str]:
    """Return every module that a file imports, by its full name."""
    found = set()
    tree = ast.parse(path.read_text())
    for_types_alone = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types_alone:
            continue
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(found)


def file_of(module: str) -> Path | None:
    """Return the file of a module of ours; None for a name in a module, or somebody else's."""
    path = ROOT / Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if module.split(".")[0] == "app" and candidate.is_file():
            return candidate
    return None


def reached_from(path: Path) -> dict[str, str]:
    """Return every module that a file imports directly or not, each with the one importing it."""
    reached: dict[str, str] = {}
    waiting = [(str(path), path)]
    while waiting:
        importer, file = waiting.pop()
        for module in imported_by(file):
            if module not in reached:
                reached[module] = importer
                if module not in (BRIDGE, "app") and (next_file := file_of(module)):
                    waiting.append((module, next_file))
    return reached


@pytest.mark.parametrize("room", list(BELOW))
def test_a_room_imports_only_what_lies_below_it(room):
    allowed = BELOW[room] | EVERYWHERE | {room}
    for path in (ROOT / "app" / room).rglob("*.py"):
        for module in imported_by(path):
            parts = module.split(".")
            if parts[0] == "app" and len(parts) > 1:
                assert parts[1] in allowed, f"{path.relative_to(ROOT)} imports {module}"


def test_no_two_modules_import_each_other_directly_or_not():
    for path in (ROOT / "app").rglob("*.py"):
        if path.name != "__init__.py":
            own = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            assert own not in reached_from(path), f"{own} imports itself in the end"


@pytest.mark.parametrize("room", WITHOUT_FLASK)
def test_below_the_doors_no_web_framework_is_known(room):
    for path in (ROOT / "app" / room).rglob("*.py"):
        for module, importer in reached_from(path).items():
            assert module.split(".")[0] not in WEB, f"{path.name} reaches {module} by {importer}"


def test_only_clients_speak_http():
    for path in (ROOT / "app").rglob("*.py"):
        if not {"clients", "devtools"} & set(path.parts):
            assert "requests" not in imported_by(path), path.name


def test_nothing_in_the_service_imports_the_devtools():
    for path in (ROOT / "app").rglob("*.py"):
        if "devtools" not in path.parts:
            top_level = ast.parse(path.read_text()).body
            for node in top_level:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    assert "devtools" not in ast.unparse(node), path.name


def test_only_the_configuration_reads_the_environment():
    for path in [*(ROOT / "app").rglob("*.py"), ROOT / "manage.py", ROOT / "gunicorn.conf.py"]:
        if "devtools" not in path.parts:
            found = re.search(r"os\.environ|import environ|\bgetenv\b", path.read_text())
            assert not found, path.name


def test_what_tests_share_is_in_no_test_file():
    for path in (ROOT / "tests").rglob("test_*.py"):
        shared = [name for name in imported_by(path) if re.search(r"\btests\b.*\.test_", name)]
        assert shared == [], f"{path.name} imports {shared}"
