"""The Dockerfile's commands, run from what it copies: building an image takes a daemon."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import requests

from tests.postgres import free_port
from tests.processes import ROOT, Program

DOCKERFILE = (ROOT / "Dockerfile").read_text()
RESULT = DOCKERFILE.rpartition("\nFROM ")[2]
USER = int(re.search(r"^USER (\d+)$", RESULT, re.MULTILINE)[1])
COMMAND = json.loads(re.search(r"^CMD (\[.*\])$", RESULT, re.MULTILINE)[1])
# May read what root owns (this machine's Python may lie anywhere) and write nothing but its own.
UNPRIVILEGED = (
    "setpriv",
    f"--reuid={USER}",
    f"--regid={USER}",
    "--clear-groups",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--no-new-privs",
)


def unpack(folder: Path) -> Path:
    """Copy into *folder* what the image copies from here, and take every right to write away."""
    tree = folder / "service"
    tree.mkdir()
    for line in re.findall(r"^COPY (?!--from)(.+)$", RESULT, re.MULTILINE):
        *names, target = line.split()
        for name in names:
            source, place = ROOT / name, tree / (name if target == "./" else target)
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, place)
    for cache in list(tree.rglob("__pycache__")):
        shutil.rmtree(cache)
    for path in [tree, *tree.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    return tree


class Container(Program):
    """One of the image's commands, in an unpacked tree and as the image's user."""

    launcher = (*UNPRIVILEGED, sys.executable)
    port = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder.chmod(0o755)
        self.cwd, self.scratch = unpack(self.folder), self.folder / "tmp"
        self.scratch.mkdir()
        os.chown(self.scratch, USER, USER)

    def start(self, command: list[str], env: dict[str, str]) -> None:
        """Start *command*; `python` and `gunicorn` are those of the environment we run in."""
        program, *arguments = command
        module = [] if program == "python" else ["-m", program]
        writes_nothing = {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(self.scratch)}
        self._spawn([*module, *arguments], {**writes_nothing, **env})

    def wait(self) -> int:
        """Wait for a command that ends by itself; return its exit status."""
        if self.process is None:
            raise RuntimeError("Nothing was started.")
        self.process.wait(timeout=60)
        return self.kill()

    def serve(self, env: dict[str, str]) -> str:
        """Run what the image runs by itself, on a free port; return the URL when it answers."""
        self.port = free_port()
        url = f"http://127.0.0.1:{self.port}"
        self.start(COMMAND, {**env, "PORT": str(self.port), "PUBLIC_URL": url})
        self._wait_until(lambda: self._is_live(url), f"answer at {url}")
        return url

    def _is_live(self, url: str) -> bool:
        try:
            return requests.get(f"{url}/health/live", timeout=5).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False
