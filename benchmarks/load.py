"""Load, from processes of its own: wrk for what is read, `loader.py` for bursts of links."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, TypeVar

from benchmarks.servers import Addressed, Measured
from benchmarks.world import PER_ORGANIZER, World

JSON_API = "application/vnd.api+json"
SCRIPT = Path(__file__).with_name("wrk.lua")
LOADER = [sys.executable, "-m", "benchmarks.loader"]
T = TypeVar("T")


@dataclass(frozen=True)
class Reads:
    """How reads went beside something else: quantiles in milliseconds, and whether all were 200."""

    p50: float
    p99: float
    all_read: bool

    @property
    def told(self) -> str:
        """In words."""
        return f"p50 {self.p50:.0f} ms" + ("" if self.all_read else ", some reads FAILED")


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
    command += ["-H", f"Accept: {JSON_API}"]
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


def read_beside(server: Measured, work: Callable[[], T]) -> tuple[T, Reads]:
    """Return what *work* returns, and how reads went meanwhile: fifty a second, from outside."""
    reads = start_loader(
        {
            "kind": "reads",
            "address": server.address,
            "paths": [f"/v1/events/{number}/stripe-authorization" for number in range(1, 900)],
            "headers": {"Accept": JSON_API},
            "rate": 50,
        }
    )
    done = work()
    reading = result_of(reads)
    took = quantiles((1000 * each for each in reading["took"]), n=100)
    return done, Reads(took[49], took[98], set(reading["statuses"]) == {200})


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
