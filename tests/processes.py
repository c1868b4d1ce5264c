"""
Runs our programs in processes of their own: with an environment that says everything, their output
in files, and an end for the whole group.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from cryptography.fernet import Fernet

from config import NAMES
from tests import guardian

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 30
KEPT_NAMES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
# One set for all processes of a test session, so that commands and services share a database.
SECRETS = {
    "SECRET_KEY": secrets.token_urlsafe(32),
    "JWT_SECRET_KEY": secrets.token_urlsafe(32),
    "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
}


class StartFailed(RuntimeError):
    """A program ended, or did not answer in time. Knows its exit status and what it wrote."""

    def __init__(self, message: str, returncode: int | None, output: str) -> None:
        super().__init__(f"{message} (exit status {returncode}). It wrote:\n{output[-4000:]}")
        self.returncode = returncode
        self.output = output


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    What a process of ours is started with: *env* over the session's secrets.

    Nothing of the developer's own leaks in: every name that config.py knows is there, empty
    (which means its default) where *env* is silent, and so a `.env` has no say.
    """
    return {
        **{name: os.environ[name] for name in KEPT_NAMES if name in os.environ},
        "PYTHONUNBUFFERED": "1",
        **dict.fromkeys(NAMES, ""),
        "APP_ENV": "testing",
        **SECRETS,
        **(env or {}),
    }


def run_manage(
    *arguments: str, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run one of manage.py's commands to its end; *options* are those of `subprocess.run`."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        **{"cwd": ROOT, "capture_output": True, "text": True, "timeout": 120, **options},
        env=environment(env),
    )


class Program:
    """A program as the leader of a process group, its output in files that outlive it."""

    launcher: Sequence[str] = (sys.executable, "-m")
    cwd = ROOT

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._ended = True
        self.folder = Path(tempfile.mkdtemp(prefix="live-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The leader's process id, which is the group's too."""
        if self.process is None:
            raise RuntimeError(f"{type(self).__name__} was never started.")
        return self.process.pid

    @property
    def running(self) -> bool:
        """Is the leader alive?"""
        return self.process is not None and self.process.poll() is None

    @property
    def stdout(self) -> str:
        """What it has written to standard output so far, all starts together."""
        return self._written("stdout")

    @property
    def stderr(self) -> str:
        """What it has written to standard error so far, all starts together."""
        return self._written("stderr")

    def stop(self) -> int:
        """Ask it to end (SIGTERM) and wait; returns the exit status. What is left is killed."""
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                sys.stderr.write(f"{self.process.args} ignored SIGTERM for {STOP_SECONDS} s\n")
        return self.kill()

    def kill(self) -> int:
        """SIGKILL to the whole group, as a machine out of memory would; returns the exit status."""
        if self.process is None:
            return 0
        if not self._ended:
            if self.process.poll() is None or self.group:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=STOP_SECONDS)
            self._wait_for_group()
            guardian.forget(self.process.pid)
            self._ended = True  # from here on the number may belong to somebody else
        return self.process.returncode

    @property
    def group(self) -> list[int]:
        """The process ids of the leader and all it started, as far as they are alive."""
        return [pid for pid in psutil.pids() if _group_of(pid) == self.pid and _lives(pid)]

    def _wait_for_group(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while self.group and time.monotonic() < deadline:
            time.sleep(0.01)

    def _spawn(self, arguments: list[str], env: Mapping[str, str] | None) -> None:
        if self.running:
            raise RuntimeError(f"{type(self).__name__} is running already; stop it first.")
        self.kill()  # workers may have outlived the leader
        with open(self.folder / "stdout", "ab") as out, open(self.folder / "stderr", "ab") as err:
            self.process = subprocess.Popen(
                [*self.launcher, *arguments],
                cwd=self.cwd,
                env=environment(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self._ended = False
        guardian.watch(self.process.pid, group=True, directory=str(self.folder))

    def _wait_until(self, ready: Callable[[], Any], what: str) -> Any:
        """Poll *ready* until it gives something true; StartFailed if the program ends first."""
        deadline = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < deadline:
            if result := ready():
                return result
            time.sleep(0.05)
        returncode = self.process.poll() if self.process else None
        self.kill()
        raise StartFailed(f"No {what}", returncode, self.stdout + self.stderr)

    def _written(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
