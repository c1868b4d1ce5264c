"""Load, from a process of its own: wrk."""

import re
import subprocess
import time
from pathlib import Path

from benchmarks.servers import Measured
from benchmarks.world import PER_ORGANIZER, World

SCRIPT = Path(__file__).with_name("wrk.lua")


def requests_per_second(
    server: Measured,
    world: World,
    path: str,
    *,
    signed_in: bool,
    seconds: int,
    connections: int = 16,
) -> float:
    """
    Ask *server* for *path*, with the first organizer's ids at random, as fast as it answers.

    Raises RuntimeError if an answer was not 200.
    """
    command = ["wrk", f"-c{connections}", "-t1", f"-d{seconds}s", "-s", str(SCRIPT)]
    command += ["-H", "Accept: application/vnd.api+json"]
    if signed_in:
        command += ["-H", f"Authorization: JWT {world.token}"]
    ids = (world.first_own, world.organizers, PER_ORGANIZER, int(time.time()))
    command += [server.url, "--", path, *map(str, ids)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec: +([\d.]+)", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"wrk says:\n{said}")
    return float(found[1])
