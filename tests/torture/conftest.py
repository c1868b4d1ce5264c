"""Figures: what a test has measured is printed at the end of the run, for docs/reliability.md."""

from collections.abc import Callable

import pytest

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(name="figure")
def _figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """`figure("what was measured")` keeps a line for the summary."""
    lines = request.config.stash.setdefault(FIGURES, [])
    return lambda line: lines.append(f"{request.node.name}: {line}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    for line in terminalreporter.config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)
