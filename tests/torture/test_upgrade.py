"""
An upgrade of a running platform: the release before the last migration and this one, side by side
on one database, while people link and read.
"""

import io
import subprocess
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config import ROOT
from tests.live import Service
from tests.processes import run_manage
from tests.torture.world import World, tally

pytestmark = [pytest.mark.torture, pytest.mark.timeout(600)]
NEWEST = sorted((ROOT / "migrations/versions").glob("[0-9]*.py"))[-1]


def git(*arguments):
    """Run git in this checkout, which must have its history; return its output."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


@pytest.fixture(scope="module", name="old_code")
def _old_code(tmp_path_factory):
    """The code as it was before the last migration."""
    added = git("log", "--diff-filter=A", "--format=%H", "--", str(NEWEST.relative_to(ROOT)))
    folder = tmp_path_factory.mktemp("old")
    archive = git("archive", f"{added.decode().split()[-1]}^")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    assert not (folder / "migrations/versions" / NEWEST.name).exists()
    return folder


class OldService(Service):
    """The service of another folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.cwd = folder


class Upgraded(World):
    """One instance of the old code and one of the new, whose last migration is still to come."""

    def __init__(self, old_code: Path) -> None:
        super().__init__(instances=0)
        self.old, self.new = OldService(old_code), Service()

    def downgrade(self):
        """Undo the last migration."""
        result = run_manage("db", "downgrade", env=self.environ)
        assert result.returncode == 0, result.stderr

    def add(self, service):
        """Start an instance; it is asked once it listens."""
        self._open.callback(service.kill)
        service.start(self.environ, self.processes)
        self.services.append(service)


@pytest.fixture(name="world")
def _world(old_code):
    with Upgraded(old_code) as world:
        world.downgrade()
        yield world


def test_old_and_new_code_serve_one_database_and_lose_no_link(world, figure):
    world.add(world.old)
    before, during, beside, after = (world.events(10) for _ in range(4))
    reads, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            reads.append(world.ask("GET", "/v1/events"))
            stop.wait(0.02)

    def link(events):
        return tally(world.link(event, world.code()) for event in events)

    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(read)
        try:
            results = [link(before)]
            linking = pool.submit(link, during)
            upgraded = run_manage("db", "upgrade", env=world.environ)
            results.append(linking.result())
            world.add(world.new)
            results.append(link(beside))
        finally:
            stop.set()
        reading.result()
    world.services.remove(world.old)
    world.old.stop()
    results.append(link(after))

    figure(f"{len(reads)} reads, 40 links across the upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    assert results == [{201: 10}] * 4
    assert tally(reads) == {200: len(reads)}
    assert world.query("SELECT count(*) FROM stripe_authorizations") == [(40,)]
    shown = [
        world.ask("GET", f"/v1/events/{event}/stripe-authorization").status
        for event in (*before, *during, *beside, *after)
    ]
    assert shown == [200] * 40
