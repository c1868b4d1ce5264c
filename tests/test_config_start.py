"""Programs that are started with a configuration that cannot be used say so and end."""

import socket
import subprocess
import sys

import pytest

from config import ROOT
from tests.processes import SECRETS, environment, run_manage

ALL_WRONG = {
    "SECRET_KEY": "short",
    "DATABASE_URL": "postgresql://user:hush@db.example:hush/tickets",
    "REDIS_URL": "hush://:hush@redis.example",
    "PUBLIC_URL": "http://pay.example.org",
    "PORT": "none",
    "WEB_CONCURRENCY": "two",
    "WEB_THREADS": "1",
    "DEBUG": "1",
}
WRONG_PRODUCTION = {"APP_ENV": "production", **ALL_WRONG}


def gunicorn(*arguments, cwd=ROOT, conf="gunicorn.conf.py", **environ):
    return subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", str(conf), *arguments, "app:create_app()"],
        cwd=cwd,
        env=environment({"WEB_CONCURRENCY": "1", **environ}),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_gunicorn_ends_before_any_worker_is_forked():
    ended = gunicorn(**{**WRONG_PRODUCTION, "WEB_CONCURRENCY": "0"})

    assert ended.returncode != 0
    assert all(f"  {name}: " in ended.stderr for name in ALL_WRONG)
    assert "hush" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Booting worker" not in ended.stderr


@pytest.mark.parametrize(
    "command", [["db", "current"], ["users", "block", "a@example.org"], ["stripe", "check"]]
)
def test_commands_end_with_the_faults_alone(command):
    ended = run_manage(*command, env=WRONG_PRODUCTION)

    assert ended.returncode != 0
    assert all(f"  {name}: " in ended.stderr for name in ALL_WRONG)
    for unwanted in ("hush", "Traceback", "No such command", "Usage"):
        assert unwanted not in ended.stderr


def test_a_fresh_key_needs_no_configuration():
    done = run_manage("secrets", "generate", env=WRONG_PRODUCTION)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.strip()) == 44


def test_a_port_in_use_is_named_with_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = gunicorn(PORT=str(port))

    assert ended.returncode != 0
    assert ended.stderr.startswith(f"PORT: {port} is in use at 127.0.0.1.")
    assert "set PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("host", ["somebodys-laptop.invalid", "192.0.2.1"])
def test_a_host_that_a_shell_has_exported_is_told_apart_from_a_port_in_use(host):
    ended = gunicorn(HOST=host)

    assert ended.returncode != 0
    assert ended.stderr.startswith(f"HOST: {host!r} is not an address of this machine.")
    assert "in use" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("arguments", [[], ["--chdir", str(ROOT)]])
def test_gunicorn_can_be_started_from_any_folder(tmp_path, arguments):
    (tmp_path / "config.py").write_text("raise SystemExit('not this one')")

    ended = gunicorn(
        "--check-config", *arguments, cwd=tmp_path, conf=ROOT / "gunicorn.conf.py", **SECRETS
    )

    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_empty_number_of_processes_is_the_default():
    ended = gunicorn("--check-config", WEB_CONCURRENCY="")

    assert (ended.returncode, ended.stderr) == (0, "")
