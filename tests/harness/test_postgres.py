"""The tests' own PostgreSQL: private, quick to copy, and gone when they are."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg2
import pytest

from tests import postgres_binaries
from tests.postgres import ForeignServer, PostgresServer
from tests.postgres_binaries import PostgresUnavailable, find_binaries
from tests.processes import ROOT
from tests.simultaneous import until

ONE_SESSION = """
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
from tests.postgres import PostgresServer
server = PostgresServer()
server.start()
print(server.process.pid, server.folder, flush=True)
time.sleep(60)
"""


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def server():
    with PostgresServer() as own:
        yield own


def test_it_listens_on_loopback_alone(server):
    listening = {
        s.laddr.ip
        for s in psutil.Process(server.process.pid).net_connections()
        if s.status == psutil.CONN_LISTEN
    }

    assert listening == {"127.0.0.1"}


def test_it_wants_its_password(server):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(server.url().replace(server.password, "guess"))


def test_it_is_not_run_by_root(server):
    assert psutil.Process(server.process.pid).uids().effective != 0


def test_a_server_that_does_not_know_our_password_is_foreign(server):
    other = PostgresServer()
    other.port = server.port

    with pytest.raises(ForeignServer, match="password"):
        other.check_is_ours()


def test_a_server_with_another_data_directory_is_foreign(server, tmp_path):
    other = PostgresServer()
    other.port, other.password, other._folder = server.port, server.password, tmp_path

    with pytest.raises(ForeignServer, match="runs from"):
        other.check_is_ours()


def test_a_taken_port_is_left_to_its_owner():
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        other = PostgresServer()
        other.port = owner.getsockname()[1]

        with other:
            assert other.port != owner.getsockname()[1]


def test_databases_are_copies_of_a_template_made_once(server):
    made = []

    def build(url):
        made.append(url)
        server.execute("CREATE TABLE kept (id int)", database=url)

    for _ in range(2):
        server.make_template("with_a_table", build=build)
    first, second = (server.create_database(template="with_a_table") for _ in range(2))
    server.execute("INSERT INTO kept VALUES (1)", database=first)

    assert len(made) == 1
    assert server.execute("SELECT count(*) FROM kept", database=second) == [(0,)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_keeps_address_and_data(mode):
    with PostgresServer() as own:
        url = own.create_database()
        own.execute("CREATE TABLE kept (id int)", database=url)

        assert own.restart(mode) == own.url()
        assert own.execute("SELECT count(*) FROM kept", database=url) == [(0,)]


def test_clients_can_be_cut_off(server):
    url = server.create_database()
    client = psycopg2.connect(url)

    assert server.disconnect_clients(url) == 1
    with pytest.raises(psycopg2.OperationalError):
        client.cursor().execute("SELECT 1")
    client.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_killed_session_leaves_nothing_behind(number):
    session = subprocess.Popen(
        [sys.executable, "-c", ONE_SESSION],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with session:
        pid, folder = session.stdout.readline().split()
        session.send_signal(number)

    until(lambda: gone(int(pid)) and not Path(folder).exists())


def test_a_machine_without_postgresql_fails_and_says_what_to_do(monkeypatch):
    monkeypatch.setattr(postgres_binaries.glob, "glob", lambda pattern: [])
    monkeypatch.setattr(postgres_binaries.shutil, "which", lambda name: None)
    monkeypatch.setattr(postgres_binaries.os, "access", lambda path, mode: False)

    with pytest.raises(PostgresUnavailable, match=r"scripts/install-postgresql\.sh"):
        find_binaries()


def test_the_newest_version_is_taken(monkeypatch):
    folders = [f"/usr/lib/postgresql/{version}/bin" for version in ("9.6", "15", "17")]
    monkeypatch.setattr(postgres_binaries.glob, "glob", lambda pattern: folders)
    monkeypatch.setattr(os, "access", lambda path, mode: True)

    assert str(find_binaries()) == "/usr/lib/postgresql/17/bin"
