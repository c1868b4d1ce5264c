"""SIGHUP: new code with the service's own signal, while it goes on counting."""

import os
import re
import shutil
import signal
from pathlib import Path

import requests

from config import ROOT
from tests.live import Service, migrate
from tests.simultaneous import until

COPIED = ("app", "config.py", "config_checks.py", "config_machine.py", "gunicorn.conf.py")
ASKED = re.compile(r"_http_requests_total\{[^}]*/health/live[^}]*\} ([0-9.e+]+)")


def asked(service):
    """Return how often the metrics say that the service was asked whether it is alive."""
    return sum(int(float(found)) for found in ASKED.findall(_metrics(service)))


def _metrics(service):
    return requests.get(f"{service.url}/metrics", timeout=10).text


def test_a_reload_brings_new_code_of_the_configuration_too_and_goes_on_counting(tmp_path):
    folder, temporary = tmp_path / "service", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    for name in COPIED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    url = f"sqlite:///{tmp_path / 'app.db'}"
    migrate(url)
    with Service() as service:
        service.cwd = folder
        service.start({"DATABASE_URL": url, "TMPDIR": str(temporary)}, processes=1)
        old, before = set(service.workers), asked(service)
        _append(folder / "config.py", "RELEASE = 2\n")
        _append(folder / "app/__init__.py", "from config import RELEASE as RELEASE\n")

        os.kill(service.pid, signal.SIGHUP)
        until(lambda: service.running and service.workers and old.isdisjoint(service.workers))

        requests.get(f"{service.url}/health/live", timeout=10).raise_for_status()
        assert asked(service) > before >= 1
        assert len(list(temporary.glob("metrics-*"))) == 1
        service.stop()
    assert list(temporary.glob("metrics-*")) == []


def _append(path: Path, line: str):
    path.write_text(path.read_text() + line)
