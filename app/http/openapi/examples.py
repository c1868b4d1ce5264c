"""Examples: requests and answers, recorded from the running application."""

import json
from functools import cache
from importlib.resources import files

from app.http.openapi.components import Json


@cache
def recorded() -> Json:
    """Return the examples by method and address, as `make examples` has written them."""
    text = (files("app.http.openapi") / "examples.json").read_text(encoding="utf-8")
    found: Json = json.loads(text)
    return found


def with_example(operation: Json, name: str) -> Json:
    """Return *operation* with the examples recorded for *name*, as `POST /v1/events`."""
    example = recorded().get(name, {"responses": {}})
    if "request" in example:
        _show(operation["requestBody"], example["request"])
    for status, body in example["responses"].items():
        if status in operation["responses"]:
            _show(operation["responses"][status], body)
    return operation


def _show(described: Json, body: object) -> None:
    for content in described.get("content", {}).values():
        content["example"] = body
