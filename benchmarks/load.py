"""Load, from processes of its own: wrk for what is read, `loader.py` for bursts of links."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.servers import Addressed, Measured
from benchmarks.world import PER_ORGANIZER, World

SCRIPT = Path(__file__).with_name("wrk.lua")
LOADER = [sys.executable, "-m", "benchmarks.loader"]


def requests_per_second(
    server: Addressed,
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


def start_loader(task: dict[str, Any]) -> subprocess.Popen[str]:
    """Start `loader.py` on *task*; it ends when that is done, reads when their input closes."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(LOADER, stdin=pipe, stdout=pipe, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()
    return process


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """End *process*'s input and return what it found."""
    said, _ = process.communicate(timeout=600)
    return json.loads(said)


def ask_for_everything(server: Measured, world: World, count: int) -> dict[str, int]:
    """Send *count* requests of all kinds, refused ones too; return how many got which status."""
    kinds = [
        ("GET", "/health/live", {}, ""),
        ("GET", "/v1/settings", {}, ""),
        ("GET", f"/v1/events/{world.first_own}/stripe-authorization", {}, ""),
        ("GET", f"/v1/stripe-authorizations/{world.first_own}", _signed_in(world), ""),
        ("GET", "/v1/stripe-authorizations?page%5Bsize%5D=20", _signed_in(world), ""),
        ("GET", "/v1/events?page%5Bsize%5D=5&include=organizers", {}, ""),
        ("GET", "/v1/events?filter%5Bname%5D=Summit%201", {}, ""),
        ("GET", "/v1/nothing", {}, ""),
        ("GET", "/v1/stripe-authorizations", {"Authorization": "JWT x"}, ""),
        ("PATCH", f"/v1/events/{world.first_own}", _signed_in(world), "{"),
        ("POST", "/v1/stripe-authorizations", _signed_in(world), '{"data": {}}'),
        ("POST", "/stripe/webhooks", {"Stripe-Signature": "t=1,v1=0"}, "{}"),
    ]
    task = {"kind": "mix", "address": server.address, "requests": kinds, "count": count}
    found: dict[str, int] = result_of(start_loader(task))["statuses"]
    return found


def _signed_in(world: World) -> dict[str, str]:
    return {"Authorization": f"JWT {world.token}"}
