"""Text made safe to show and to log: no control characters, no secret's value."""

import re
import sys
import traceback
import unicodedata
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

MAX_CHARACTERS = 300
ELLIPSIS = "…"

_TAIL = r"[\w*.+/=~%…-]*"
# In text from outside every prefix counts, also in the middle of a word.
_ANY_SECRET = re.compile(rf"(sk|rk|pk|rt|ac|whsec|oest)_{_TAIL}")
# Our own log lines and tracebacks hold words such as "start_thread": after a letter or digit, a
# short prefix counts only if the rest looks like a token. The look-ahead is bounded, so that the
# time stays linear.
_OWN_SECRET = re.compile(
    r"((?:sk|rk|pk)_(?=live_|test_)|(?:whsec|oest)_|(?<![A-Za-z0-9])(?:sk|rk|pk|rt|ac)_"
    rf"|(?:sk|rk|pk|rt|ac)_(?=[a-z_]{{0,80}}[A-Z0-9])){_TAIL}"
)
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_KNOWN_PREFIX = re.compile(r"(?:sk|rk|pk)_(?:live|test)_|whsec_|ca_|rt_|ac_")
_MAX_DEPTH = 8


def plain_text(value: object, *, hide: Iterable[str] = ()) -> str:
    """
    Return *value* as text that is safe to show and to log: one line, at most 300 characters.

    Control and format characters (C0, C1, bidi overrides, line breaks, lone surrogates) are
    removed, each string of *hide* becomes an ellipsis, and whatever looks like one of Stripe's
    secrets keeps its kind alone (`sk_…`). A value that is no string is turned into one, None into
    an empty one. Takes linear time and never raises.
    """
    text = "".join(c for c in _as_text(value) if unicodedata.category(c) not in _INVISIBLE)
    for secret in sorted(filter(None, hide), key=len, reverse=True):
        text = text.replace(secret, ELLIPSIS)
    text = _ANY_SECRET.sub(rf"\1_{ELLIPSIS}", text).strip()
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + ELLIPSIS


def mask_secret(value: str) -> str:
    """
    Return *value* so that its owner recognizes it and it is of no use: `sk_live_…a1B2`.

    The kind is kept if it is a known one. A value so short that four characters are more than
    half of it shows none.
    """
    known = _KNOWN_PREFIX.match(value)
    prefix = known.group() if known else ""
    rest = value[len(prefix) :]
    return prefix + ELLIPSIS + (rest[-4:] if len(rest) >= 8 else "")


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """
    Mask secrets in everything that a log line says; a structlog processor.

    Nested values and the texts of exceptions are masked too, tracebacks at their full length.
    `exc_info` is rendered here, so that no later processor can render it unmasked. Keys with a
    leading underscore are structlog's own.
    """
    _render_exception(event)
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = _masked(value)
    return event


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    try:
        return str(value)
    except Exception:  # because a foreign __str__ may fail in any way, as an int's of 5000 digits
        return ""


def _render_exception(event: MutableMapping[str, Any]) -> None:
    """Turn `exc_info`, in any form that logging accepts, into the text under `exception`."""
    info = event.pop("exc_info", None)
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    elif info and not isinstance(info, tuple):
        info = sys.exc_info()
    if info and info[1] is not None:
        event["exception"] = "".join(traceback.format_exception(*info)).rstrip()


def _masked(value: Any, depth: int = 0) -> Any:
    """Return *value* with every string in it masked; other objects become their masked `repr`."""
    if isinstance(value, str):
        return _mask_own(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {_masked(k, _MAX_DEPTH): _masked(v, depth + 1) for k, v in value.items()}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_masked(item, depth + 1) for item in value]
    try:
        return _mask_own(repr(value))
    except Exception:  # because a foreign __repr__ may fail, and a log line must not
        return f"<{type(value).__name__}>"


def _mask_own(text: str) -> str:
    if "_" not in text:  # no secret is without one; to look costs a tenth of the expression
        return text
    return _OWN_SECRET.sub(lambda found: found.group(1) + ELLIPSIS, text)
