"""
What the metrics cost: to show those of eight processes, and to count a read.

To count is measured in a process of its own (`python -m benchmarks.counting`), where the counters
are files, as under gunicorn: processor time of the same read with and without them, in turns. The
difference is compared with what that read takes of a process that serves it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from statistics import median
from typing import Any
from unittest.mock import patch

import requests
from flask import Flask
from werkzeug.test import EnvironBuilder

from benchmarks.load import JSON_API, ask_for_everything, result_of, start_loader
from benchmarks.results import Result
from benchmarks.servers import Measured, processor_seconds
from benchmarks.world import World
from tests.processes import ROOT, environment

PROCESSES = 8
SHOWN, WARM_UP = 20, 4_000
ROUNDS, READS = 15, 200
SERVED = 4_000


def measure_metrics(world: World) -> Iterator[Result]:
    """Measure both."""
    with Measured(world.url, processes=PROCESSES) as service:
        ask_for_everything(service, world, WARM_UP)
        took = [_show(service) for _ in range(1 + SHOWN)][1:]
        served = _serve(service, world)
    yield Result(f"`/metrics` with {PROCESSES} processes", took, 50, 25, unit="ms", digits=1)
    pairs = _count_in_a_process(world)
    added = median(one - other for one, other in pairs)
    yield Result(
        "processor time that counting adds to a read",
        [100 * (one - other) / (served - added) for one, other in pairs],
        5, 3, unit="%", digits=1, detail=f"{added:.2f} of {served:.2f} ms",
    )  # fmt: skip


def _show(service: Measured) -> float:
    started = time.perf_counter()
    requests.get(f"{service.url}/metrics", timeout=30).raise_for_status()
    return 1000 * (time.perf_counter() - started)


def _serve(service: Measured, world: World) -> float:
    """Return the processor time of a read that is served, in milliseconds."""
    read = ("GET", f"/v1/events/{world.first_own}/stripe-authorization", {}, "")
    task = {"kind": "mix", "address": service.address, "requests": [read], "count": SERVED}
    before = sum(processor_seconds(pid) for pid in service.workers)
    result_of(start_loader(task))
    after = sum(processor_seconds(pid) for pid in service.workers)
    return 1000 * (after - before) / SERVED


def _count_in_a_process(world: World) -> list[tuple[float, float]]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.counting", str(world.first_own)],
            cwd=ROOT,
            env=environment({"DATABASE_URL": world.url, "PROMETHEUS_MULTIPROC_DIR": folder}),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the lines of the log
            check=True,
        )
    return [(one, other) for one, other in json.loads(done.stdout)]


def _apps() -> tuple[Flask, Flask]:
    """Return an application that counts, and one that does not."""
    from app import create_app, metrics  # here, after the folder for the counters is known

    counting = create_app()
    with patch.object(metrics, "init_app"):
        return counting, create_app()


def _pair(apps: tuple[Flask, Flask], environ: dict[str, Any]) -> list[float]:
    """Return the processor time of a read by each of *apps*, in milliseconds; READS of each."""
    took = [0.0, 0.0]
    for _ in range(READS):
        for place, app in enumerate(apps):
            took[place] += _read(app, environ)
    return [1000 * seconds / READS for seconds in took]


def _read(app: Any, environ: dict[str, Any]) -> float:
    statuses: list[str] = []
    started = time.thread_time()
    answer = app(dict(environ), lambda status, _headers, _info=None: statuses.append(status))
    b"".join(answer)
    answer.close()
    took = time.thread_time() - started
    if statuses != ["200 OK"]:
        raise RuntimeError(statuses)
    return took


def main(event: str) -> None:
    """Print pairs of processor times: of a read that is counted, and of one that is not."""
    apps = _apps()
    path = f"/v1/events/{event}/stripe-authorization"
    environ = EnvironBuilder(path=path, headers={"Accept": JSON_API}).get_environ()
    _pair(apps, environ)
    json.dump([_pair(apps, environ) for _ in range(ROUNDS)], sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
