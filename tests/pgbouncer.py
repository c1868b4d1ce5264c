"""
A PgBouncer of the tests' own, as Debian ships it but in transaction mode, on a free port.

It listens on 127.0.0.1 only and knows one user, the tests' administrator of one private PostgreSQL.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import ROOT
from tests import guardian
from tests.postgres import ADMIN, PostgresServer, free_port
from tests.postgres_binaries import account, make_folder

START_SECONDS = 20
PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))


class PgBouncerUnavailable(RuntimeError):
    """There is no PgBouncer here, or it does not start."""


class PgBouncer:
    """A pooler in front of *server*; *settings* are further lines of its file, by name."""

    def __init__(self, server: PostgresServer, **settings: object) -> None:
        self.server = server
        self.port = free_port()
        self.settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "md5",
            "pool_mode": "transaction",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.folder: Path | None = None

    def __enter__(self) -> "PgBouncer":
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def url(self, direct: str) -> str:
        """Return the URL of a database of the server, by its *direct* URL, through the pooler."""
        return direct.replace(f":{self.server.port}/", f":{self.port}/")

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.folder = make_folder(durable=False)
        users = self._write("users.txt", f'"{ADMIN}" "{self.server.password}"\n')
        lines = [f"* = host=127.0.0.1 port={self.server.port}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in self.settings.items()]
        lines += [f"auth_file = {users}", ""]
        file = self._write("pgbouncer.ini", "\n".join(["[databases]", *lines]))
        owner = account()
        options = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [_program(), file],
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **options,
            )
        guardian.watch(self.process.pid, signal_number=signal.SIGKILL, directory=str(self.folder))
        self._wait()

    def stop(self) -> None:
        """End it at once, with every connection."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            guardian.forget(self.process.pid)
            self.process = None
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)  # for the pooler's user; the folder is closed to others
        return path

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        log = (self.folder / "log").read_text(errors="replace")
        self.stop()
        raise PgBouncerUnavailable(f"PgBouncer does not start. Its log ends:\n{log[-2000:]}")


def _program() -> str:
    """Return where PgBouncer is; it is installed if it is not there."""
    if shutil.which("pgbouncer", path=PLACES) is None:
        subprocess.run(["sh", "scripts/install-pgbouncer.sh"], cwd=ROOT, check=True)
    found = shutil.which("pgbouncer", path=PLACES)
    if found is None:
        raise PgBouncerUnavailable("There is no PgBouncer, and it could not be installed.")
    return found


@pytest.fixture(scope="session")
def pgbouncer(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    """A pooler with few connections to the session's server, so that clients share them."""
    with PgBouncer(postgres_server, default_pool_size=2) as pooler:
        yield pooler
