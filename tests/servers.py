"""
nginx and Redis of the tests' own, on free ports of 127.0.0.1.

    with Redis() as redis, Nginx(configuration) as nginx:
        requests.get(nginx.url)
        redis.kill(); redis.start()              # away and back, at the same address

An nginx file has `{port}` and `{folder}` where its own port and a folder for its files belong.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence

from config import ROOT
from tests.postgres import free_port
from tests.processes import Program

PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))


class ServerUnavailable(RuntimeError):
    """There is no such program here, and it could not be installed."""


def program(name: str) -> str:
    """Return where the program is; it is installed if it is not there."""
    if shutil.which(name, path=PLACES) is None:
        subprocess.run(["sh", "scripts/install-servers.sh", name], cwd=ROOT, check=True)
    found = shutil.which(name, path=PLACES)
    if found is None:
        raise ServerUnavailable(f"There is no {name}, and it could not be installed.")
    return found


class Listener(Program):
    """A server that is ready when it takes connections on its port."""

    launcher: Sequence[str] = ()

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    def __enter__(self):
        self.start()
        return self

    def start(self) -> None:
        """Start, at the address it had before, and wait until it listens."""
        self._spawn(self.command(), {})
        self._wait_until(self._listens, f"listener on port {self.port}")

    def command(self) -> list[str]:
        """Return what to run."""
        raise NotImplementedError

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Redis(Listener):
    """A Redis that keeps nothing on disk."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "dir": self.folder}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return [program("redis-server"), *words]


class Nginx(Listener):
    """An nginx with a *configuration* file of ours."""

    def __init__(self, configuration: str) -> None:
        super().__init__()
        self.configuration = configuration

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        file = self.folder / "nginx.conf"
        text = self.configuration.replace("{port}", str(self.port))
        file.write_text(text.replace("{folder}", str(self.folder)))
        self.folder.chmod(0o755)  # for its workers, which are another user's
        return [program("nginx"), "-c", str(file), "-g", "daemon off;"]
