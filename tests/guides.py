"""Guides as scripts: the commands in a document's fenced `sh` blocks, run in one shell."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from tests.postgres_binaries import find_binaries
from tests.processes import ROOT, environment

TOOLS = ("curl", "jq")
SERVICE = "http://127.0.0.1:5000"  # as the guides write it
STRIPE = "http://127.0.0.1:12111"


def blocks(document: str, language: str) -> list[str]:
    """Return the fenced blocks of *document*, a path below the project, in *language*."""
    text = (ROOT / document).read_text()
    fenced = rf"^( *)```{language}\n(.*?)^\1```$"  # within a list, they are indented
    return [dedent(block) for _, block in re.findall(fenced, text, re.DOTALL | re.MULTILINE)]


def install_tools(*names: str) -> None:
    """Install the Debian packages of these names that the machine has not."""
    missing = [name for name in names if not _is_there(name)]
    if missing:
        subprocess.run(["sh", ROOT / "scripts/apt-install.sh", *missing], check=True, timeout=300)


def run_guide(
    document: str,
    env: Mapping[str, str],
    *,
    service: str,
    stripe: str = STRIPE,
    cwd: Path = ROOT,
    commands: str | None = None,
) -> str:
    """
    Run the commands of *document* in order, in one bash that stops at the first failure, with *env*
    over the tests' environment; return what they print. Addresses lead to *service* and *stripe*.
    """
    install_tools(*TOOLS)
    script = commands or "\n".join(blocks(document, "sh"))
    if not script:
        raise ValueError(f"{document} has no commands.")
    path = os.pathsep.join([str(Path(sys.executable).parent), str(find_binaries()), os.defpath])
    done = subprocess.run(
        [
            "bash",
            "-euo",
            "pipefail",
            "-c",
            script.replace(SERVICE, service).replace(STRIPE, stripe),
        ],
        cwd=cwd,
        env={**environment(env), "PATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if done.returncode:
        raise AssertionError(
            f"{document} ends with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
    return done.stdout


def _is_there(name: str) -> bool:
    found = subprocess.run(
        ["sh", "-c", f"PATH=$PATH:/usr/sbin command -v {name}"], capture_output=True, check=False
    )
    return found.returncode == 0
