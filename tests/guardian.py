"""
Ends what a test session started, however the session ends.

`atexit` and context managers do not run after SIGKILL, and not after a plain SIGTERM either. So
the first start makes one small process in a session of its own, which is told what to end and
reads from a pipe. When the pipe closes, because the tests are over or were killed, it ends
whatever it was not told to forget.

It knows processes by id and start time, so that a number used again is never signalled.
"""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import psutil

GRACE_SECONDS = 5

_lock = threading.Lock()
_guardian: subprocess.Popen | None = None
_owner: int | None = None
_watched: dict[int, dict] = {}


def watch(
    pid: int,
    *,
    signal_number: int = signal.SIGKILL,
    group: bool = False,
    directory: str | None = None,
) -> None:
    """
    Have *pid* ended with the session: by *signal_number*, with its whole process *group* if
    asked, and *directory* removed after it.
    """
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        started = None
    _watched[pid] = {
        "watch": pid,
        "started": started,
        "signal": int(signal_number),
        "group": group,
        "directory": directory,
    }
    _tell(_watched[pid])


def forget(pid: int) -> None:
    """*pid* has ended in good order; its directory is the caller's to remove."""
    _watched.pop(pid, None)
    _tell({"forget": pid})


def _tell(message: dict) -> None:
    global _guardian, _owner
    with _lock:
        if _guardian is None or _owner != os.getpid() or _guardian.poll() is not None:
            _guardian, _owner = _start(), os.getpid()
            atexit.register(_finish, _guardian)
            for earlier in _watched.values():
                _write(earlier)
        _write(message)


def _write(message: dict) -> None:
    _guardian.stdin.write(json.dumps(message) + "\n")
    _guardian.stdin.flush()


def _start() -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-I", os.path.abspath(__file__)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # or whoever reads our output would wait for it
        text=True,
        start_new_session=True,  # Ctrl-C in the terminal must not reach it
    )


def _finish(guardian: subprocess.Popen) -> None:
    """Let the guardian do its last round before the interpreter is gone."""
    try:
        guardian.stdin.close()
        guardian.wait(timeout=GRACE_SECONDS * 2)
    except (OSError, subprocess.TimeoutExpired):
        pass


def _state(entry: dict) -> str:
    """`alive`, `gone`, or `other` when the number now belongs to another process."""
    try:
        process = psutil.Process(entry["watch"])
        # Two seconds of tolerance, because the clock may be set while the tests run.
        if entry["started"] is None or abs(process.create_time() - entry["started"]) > 2:
            return "other"
        return "gone" if process.status() == psutil.STATUS_ZOMBIE else "alive"
    except psutil.NoSuchProcess:
        return "gone"


def _signal(entry: dict, number: int) -> None:
    state = _state(entry)
    try:
        if entry["group"] and state != "other":
            os.killpg(entry["watch"], number)  # the leader may be gone and its workers not
        elif state == "alive":
            os.kill(entry["watch"], number)
    except (ProcessLookupError, PermissionError):
        pass


def _end(entries: list[dict]) -> None:
    for entry in entries:
        _signal(entry, entry["signal"])
    deadline = time.monotonic() + GRACE_SECONDS
    while any(_state(entry) == "alive" for entry in entries) and time.monotonic() < deadline:
        time.sleep(0.02)
    for entry in entries:
        if _state(entry) == "alive":
            _signal(entry, signal.SIGKILL)
        if entry["directory"]:
            shutil.rmtree(entry["directory"], ignore_errors=True)


def _main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[int, dict] = {}
    for line in sys.stdin:
        message = json.loads(line)
        if "forget" in message:
            watched.pop(message["forget"], None)
        else:
            watched[message["watch"]] = message
    _end(list(watched.values()))


if __name__ == "__main__":
    _main()
