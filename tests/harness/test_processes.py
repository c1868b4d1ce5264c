"""Programs that tests start: alone with their environment, and ended with all they started."""

import signal

import pytest

from config import NAMES
from tests.processes import Program, StartFailed, environment

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program that has started another one."""
    (tmp_path / "a_parent.py").write_text(PARENT)
    with Program() as started:
        started._spawn(["a_parent"], {"PYTHONPATH": str(tmp_path)})
        started._wait_until(lambda: "\n" in started.stdout, "line")
        yield started


def test_kill_ends_the_whole_group(program):
    assert int(program.stdout) in program.group

    assert program.kill() == -signal.SIGKILL
    assert program.group == []


def test_stop_ends_what_outlives_the_leader(program):
    assert program.stop() == -signal.SIGTERM
    assert program.group == []


def test_a_program_that_ends_before_it_is_ready_is_a_failure_with_its_output():
    with Program() as program:
        program._spawn(["no_such_module"], None)

        with pytest.raises(StartFailed, match="No module named no_such_module") as failure:
            program._wait_until(lambda: False, "answer")

    assert failure.value.returncode == 1


def test_the_developers_settings_stay_outside(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://production/app")
    monkeypatch.setenv("FLASK_DEBUG", "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")

    given = environment({"STRIPE_TIMEOUT": "2"})

    assert given.keys() >= set(NAMES)
    assert given["DATABASE_URL"] == ""
    assert given["STRIPE_TIMEOUT"] == "2"
    assert not {"FLASK_DEBUG", "HTTPS_PROXY"} & given.keys()


def test_all_processes_of_a_session_share_their_secrets():
    assert environment()["ENCRYPTION_KEYS"] == environment()["ENCRYPTION_KEYS"] != ""
