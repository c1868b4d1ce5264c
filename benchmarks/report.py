"""Writes the measured part of a page in docs/; what people wrote there stays."""

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

import psutil

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
START, END = "<!-- measured: by make bench -->", "<!-- end of what was measured -->"


def write(
    lines: Sequence[str], command: str, seconds: float, postgresql: int, page: Path = PAGE
) -> None:
    """Put *lines* into the *page*, with the machine and the command."""
    measured = "\n\n".join(
        [
            START,
            f"`{command}`, {seconds:.0f} s, on {describe_machine()}, PostgreSQL {postgresql}.",
            "\n".join(lines),
            END,
        ]
    )
    before, _, rest = page.read_text().partition(START)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{measured}{after}")


def describe_machine() -> str:
    """Return what was measured on: processors, memory, systems. No name of anybody's."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} × {_processor()}, {memory:.0f} GiB, {platform.system()}"
        f" {platform.release().split('-')[0]}, Python {platform.python_version()}"
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    found = re.search(r"model name\s*: (.+)", text)
    return found[1] if found else platform.machine()
