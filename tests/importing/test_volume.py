"""An import of very many rows, in bounded memory."""

import os
import subprocess
import sys

import pytest

from tests.databases import on_both, on_sqlite
from tests.importing.killing import fill
from tests.processes import ROOT, environment

pytestmark = on_sqlite

ROWS = int(os.environ.get("IMPORTED_ROWS", "200000"))  # of each table
LARGEST_RSS = 200  # MiB
SLOWEST = 5000  # rows per second of processor time


# In a process of its own: what a child may have used begins with what its parent had.
MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)
"""


def run_measured(**env):
    """Run an import; return its exit status, memory in MiB, and processor time in seconds."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, sys.executable, "manage.py", "import", "open-event"],
        cwd=ROOT,
        env=environment(env),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    status, mebibytes, seconds = done.stdout.split()
    return int(status), float(mebibytes), float(seconds)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@on_both
def test_memory_is_bounded_and_each_row_takes_little_time_the_first_time_and_again(
    database_url, open_event
):
    fill(open_event, ROWS)
    open_event.execute("ANALYZE")

    for run in ("first", "second"):
        status, mebibytes, seconds = run_measured(
            DATABASE_URL=database_url, OPEN_EVENT_DATABASE_URL=open_event.url
        )

        sys.stdout.write(f"\n{run} run of 4 x {ROWS} rows: {mebibytes:.0f} MiB, {seconds:.0f} s\n")
        assert status == 3
        assert mebibytes <= LARGEST_RSS
        assert 4 * ROWS / seconds >= SLOWEST
