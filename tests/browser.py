"""Finds, or installs, the browser for tests that look at pages as a person does."""

import subprocess
from functools import cache

import pytest

from tests.processes import ROOT

# For a machine without a sandbox for it, without a screen, and without a way out: else it tries
# to reach its maker's hosts at every start.
CHROMIUM_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@cache
def chromium() -> str:
    """The path of Chromium; Debian's is installed where there is none. Raises if that fails."""
    done = subprocess.run(
        ["sh", ROOT / "scripts" / "install-chromium.sh"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
    )
    if done.returncode:
        raise RuntimeError("There is no Chromium for the browser tests; see above.")
    return done.stdout.strip()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Chromium's path. The first test that asks may wait for its installation."""
    return chromium()
