"""Imports point one way, and nothing in the service knows the devtools."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Who may import what of ours, besides itself.
ALLOWED = {
    "api": {"api", "auth", "clients", "database", "error_handlers", "errors", "extensions"},
    "services": {"services", "auth", "clients", "crypto", "database", "errors", "extensions"},
    "clients": {"clients", "errors", "redaction"},
    "models": {"models", "crypto", "database", "extensions"},
}
ALLOWED["api"] |= {"models", "services", "logs", "redaction", "sign_in_limits", "account_looks"}
ALLOWED["api"] |= {"migrating"}
ALLOWED["services"] |= {"models", "logs", "redaction", "turns"}


def imported_by(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, `config` included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {each for each in found if each.split(".")[0] in ("app", "config", "flask", "requests")}


@pytest.mark.parametrize("layer", list(ALLOWED))
def test_a_layer_imports_only_what_lies_below_it(layer):
    for path in (ROOT / "app" / layer).rglob("*.py"):
        for module in imported_by(path):
            parts = module.split(".")
            if parts[0] == "app" and len(parts) > 1:
                assert parts[1] in ALLOWED[layer], f"{path.name} imports {module}"
            assert parts[0] != "config", f"{path.name} reads the configuration by itself"


def test_services_know_neither_flask_nor_requests():
    for path in (ROOT / "app" / "services").rglob("*.py"):
        assert not imported_by(path) & {"flask", "requests"}, path.name


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
