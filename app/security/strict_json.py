"""JSON that means one thing only, whatever its sender meant."""

import json
from typing import Any, NoReturn


def read_json(text: str | bytes) -> Any:
    """
    Return what *text* (UTF-8 where it is bytes) says.

    Raises ValueError for what is no JSON (RFC 8259): NaN and infinities (§6), names that occur
    twice in an object (§4: unpredictable), text in another encoding, integers of thousands of
    digits, nesting without end.
    """
    try:
        return json.loads(
            text.decode("utf-8") if isinstance(text, bytes) else text,
            parse_constant=_refuse_constant,
            object_pairs_hook=_with_unique_names,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _with_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name occurs twice")
    return values
