"""
A PostgreSQL server of the tests' own: this machine's programs, a private folder, a free port.

It listens on 127.0.0.1 only. Nothing here ever speaks to another server: the password is random,
and after connecting the server must say that its data directory is the one made here. Where
PostgreSQL cannot be had, tests fail; they are not skipped.

    with PostgresServer() as server:
        server.make_template("migrated", build=migrate)      # once
        url = server.create_database(template="migrated")    # some 20 ms each
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from tests import guardian
from tests.postgres_binaries import PostgresUnavailable, account, find_binaries, make_folder

START_SECONDS = 60
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
ADMIN = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %d ",
}


class ForeignServer(RuntimeError):
    """Something answers on our port that is not the server started here."""


def free_port() -> int:
    """A port that was free a moment ago; whoever binds it must be ready to find it taken."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PostgresServer:
    """
    One private server. Its data lives until `close()`; `stop()` and `start()` keep data, port and
    password, so that a test can take the database away from a running service and give it back.

    *fsync* off is quick, and what was committed still survives `stop("immediate")` and SIGKILL,
    everything but the machine's own crash; turn it on where the cost of durability is measured.
    *settings* are further lines of postgresql.conf, by name.
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
        self.fsync = fsync
        self._databases = 0
        self._folder: Path | None = None
        self._settings = {
            **SETTINGS,
            "fsync": fsync,
            "full_page_writes": fsync,
            "max_connections": max_connections,
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
    def folder(self) -> Path:
        """The private folder: `data`, `server.log` and the socket."""
        if self._folder is None:
            raise PostgresUnavailable("The server was never started, or is closed.")
        return self._folder

    @property
    def data_directory(self) -> Path:
        """Where the tables lie."""
        return self.folder / "data"

    @property
    def log(self) -> str:
        """What the server has written so far; a failed statement shows its text here."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> str:
        """Start the server (the first time: create it), make sure it is ours; return its URL."""
        if self.running:
            return self.url()
        first_time = self._folder is None
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
        raise PostgresUnavailable(f"PostgreSQL does not start. Its log ends:\n{self.log[-3000:]}")

    def stop(self, mode: str = "fast") -> None:
        """
        Stop and wait. `smart` waits for clients, `fast` ends their sessions, `immediate` is a
        crash: the next start recovers from the log.
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
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def url(self, database: str = ADMIN) -> str:
        """The SQLAlchemy URL of *database* (psycopg2 understands it too)."""
        return f"postgresql://{ADMIN}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str | None = None, *, template: str = "template1") -> str:
        """A new database, a copy of *template*; returns its URL."""
        if name is None:
            self._databases += 1
            name = f"test_{os.getpid()}_{self._databases}"
        statement = "CREATE DATABASE {} TEMPLATE {}"
        if not self.fsync and self.version >= 15:
            statement += " STRATEGY FILE_COPY"  # quicker while a checkpoint costs nothing
        self.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def make_template(self, name: str, *, build: Callable[[str], object]) -> str:
        """Create *name* once and let *build* fill it by its URL; returns *name*."""
        if not self.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)):
            build(self.create_database(name))
            self.disconnect_clients(name)
        return name

    def drop_database(self, name_or_url: str) -> None:
        """Drop a database, even while somebody is connected to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self.execute(statement.format(sql.Identifier(_name(name_or_url))))

    def disconnect_clients(self, name_or_url: str) -> int:
        """Cut every connection to a database, as a failing network would; returns how many."""
        ended = self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> pg_backend_pid()",
            (_name(name_or_url),),
        )
        return len(ended)

    def execute(
        self, statement: str | sql.Composable, parameters: tuple = (), *, database: str = ADMIN
    ) -> list:
        """Run one statement as administrator in its own connection; returns the rows, if any."""
        connection = psycopg2.connect(self.url(_name(database)), connect_timeout=5)
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
                raise ForeignServer(f"Port {self.port}: our password is not known there.") from None
            raise
        if os.path.realpath(directory) != os.path.realpath(self.data_directory):
            raise ForeignServer(f"Port {self.port}: the server runs from {directory}.")

    def _create(self) -> None:
        self._folder = make_folder(durable=self.fsync)
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o644)  # for the server's user; the folder is closed to others
        initdb = [self.binaries / "initdb", "--pgdata", self.data_directory, "--username", ADMIN]
        initdb += ["--pwfile", password_file, "--auth", "scram-sha-256", "--encoding", "UTF8"]
        initdb += ["--locale", "C.UTF-8", "--no-sync", "--no-instructions"]
        done = subprocess.run(initdb, **self._privately(), capture_output=True, text=True)
        if done.returncode:
            self.close()
            raise PostgresUnavailable(f"initdb failed:\n{done.stdout}{done.stderr}")
        password_file.unlink()
        settings = {**self._settings, "unix_socket_directories": self.folder}
        with open(self.data_directory / "postgresql.conf", "a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _launch(self) -> bool:
        """Start the process and wait for it; False if it ended, as it does on a taken port."""
        with open(self.folder / "server.log", "a") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.data_directory, "-p", str(self.port)],
                **self._privately(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is ours to handle, not the server's
            )
        guardian.watch(self.process.pid, signal_number=signal.SIGQUIT, directory=str(self.folder))
        deadline = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < deadline:
            if self._says_ready():
                self.check_is_ours()
                return True
            time.sleep(0.01)
        self.stop("immediate")
        return False

    def _says_ready(self) -> bool:
        """Ask the lock file, not the port: who answers there is known only afterwards."""
        try:
            lines = (self.data_directory / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return lines[0] == str(self.process.pid) and len(lines) > 7 and lines[7].strip() == "ready"

    def _privately(self) -> dict:
        """How the programs are run: never as root, without our environment and its PG… names."""
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        options: dict = {"env": environment, "cwd": self.folder}
        if (owner := account()) is not None:
            options |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        return options


def _name(name_or_url: str) -> str:
    return name_or_url.rpartition("/")[2]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's server, without fsync. Who stops or breaks one takes one of his own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database of the test's own."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)
