"""
A loader in a process of its own: reads one task, a line of JSON, and prints what it measured.

`posts`: POSTs, each on a connection of its own, started evenly over some seconds. `reads`: GETs at
a steady rate until the input closes; each is timed from when it was due, so that a server that
stalls is charged for what it kept waiting. `silence`: connections that send half a request and then
nothing, until the input closes. `mix`: a number of requests of several kinds.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

JSON_API = "application/vnd.api+json"
Task = dict[str, Any]


async def send_posts(task: Task) -> dict[str, Any]:
    """Send one POST per body; return the statuses, how long each took, and how long all took."""
    started = time.perf_counter()
    pause = task["seconds"] / len(task["bodies"])
    answers = await asyncio.gather(
        *(_post(task, body, number * pause) for number, body in enumerate(task["bodies"]))
    )
    return {
        "statuses": [status for status, _ in answers],
        "took": [seconds for _, seconds in answers],
        "all_took": time.perf_counter() - started,
    }


async def _post(task: Task, body: str, wait: float) -> tuple[int, float]:
    await asyncio.sleep(wait)
    started = time.perf_counter()
    request = _request("POST", task["path"], {**task["headers"], "Connection": "close"}, body)
    reader, writer = await asyncio.open_connection(*task["address"])
    writer.write(request)
    status = await _status(reader)
    writer.close()
    return status, time.perf_counter() - started


async def keep_reading(task: Task) -> dict[str, Any]:
    """Send GETs at `rate` per second until the input ends; return how long each took."""
    loop = asyncio.get_running_loop()
    over = loop.run_in_executor(None, sys.stdin.read)
    started, number, reading = time.perf_counter(), 0, []
    while not over.done():
        due = started + number / task["rate"]
        await asyncio.sleep(max(0, due - time.perf_counter()))
        path = task["paths"][number % len(task["paths"])]
        reading.append(asyncio.create_task(_get(task, path, due)))
        number += 1
    answers = await asyncio.gather(*reading)
    return {
        "statuses": [status for status, _ in answers],
        "took": [seconds for _, seconds in answers],
    }


async def _get(task: Task, path: str, due: float) -> tuple[int, float]:
    reader, writer = await asyncio.open_connection(*task["address"])
    writer.write(_request("GET", path, {**task["headers"], "Connection": "close"}))
    status = await _status(reader)
    writer.close()
    return status, time.perf_counter() - due


async def send_mix(task: Task) -> dict[str, Any]:
    """Send `count` of the requests in turn, eight at a time; return how many got which status."""
    numbers, statuses = iter(range(task["count"])), Counter()

    async def send() -> None:
        for number in numbers:
            method, path, headers, body = task["requests"][number % len(task["requests"])]
            kinds = {"Accept": JSON_API, "Content-Type": JSON_API, "Connection": "close"}
            reader, writer = await asyncio.open_connection(*task["address"])
            writer.write(_request(method, path, {**kinds, **headers}, body))
            statuses[await _status(reader)] += 1
            writer.close()

    await asyncio.gather(*(send() for _ in range(8)))
    return {"statuses": statuses}


async def keep_silent(task: Task) -> dict[str, Any]:
    """Hold connections that have sent half a request; return how many are open in the end."""
    loop = asyncio.get_running_loop()
    streams = [await asyncio.open_connection(*task["address"]) for _ in range(task["count"])]
    for _, writer in streams:
        writer.write(task["half"].encode())
    print("connected", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    return {"open": sum(not reader.at_eof() for reader, _ in streams)}


def _request(method: str, path: str, headers: dict[str, str], body: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", body]).encode()


async def _status(reader: asyncio.StreamReader) -> int:
    answer = await reader.read()  # to the end: the connection is closed after it
    return int(answer.split(b" ", 2)[1]) if answer else 0


def main() -> None:
    """Do the one task that comes in."""
    task = json.loads(sys.stdin.readline())
    kinds = {"posts": send_posts, "reads": keep_reading, "silence": keep_silent, "mix": send_mix}
    work = kinds[task["kind"]]
    json.dump(asyncio.run(work(task)), sys.stdout)


if __name__ == "__main__":
    main()
