"""The parameters of api.stripe.com as nested dictionaries, and refusals in Stripe's words.

Texts: `docs/local-stripe.md` says which are documented, which were seen and which are guesses.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from .errors import invalid_parameter

MOST_METADATA = 50
LONGEST_METADATA_NAME = 40
LONGEST_METADATA_VALUE = 500


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return `a[b][c]=1` as `{"a": {"b": {"c": "1"}}}`; lists become dictionaries by index."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        head, *rest = re.match(r"[^\[]*", name).group(), *re.findall(r"\[([^\]]*)\]", name)
        inner = found
        for step, following in zip([head, *rest], rest, strict=False):
            deeper = inner.setdefault(step, {})
            if not isinstance(deeper, dict):
                raise invalid_parameter(f"Invalid {following}", head)
            inner = deeper
        last = rest[-1] if rest else head
        inner[last or str(len(inner))] = value
    return found


def only(given: dict[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Return *given*, or refuse the names that the endpoint does not know."""
    unknown = [name for name in given if name not in known]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        message = f"Received unknown parameter{plural}: {', '.join(unknown)}"
        raise invalid_parameter(message, unknown[0], "parameter_unknown")
    return given


def text(given: dict[str, Any], name: str, default: str | None = None) -> str | None:
    """Return a text, or *default* without one."""
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise invalid_parameter(f"Invalid string: {value}", name)
    return value


def required(given: dict[str, Any], name: str) -> str:
    """Return a text that is required and not empty."""
    value = text(given, name)
    if value is None:
        raise invalid_parameter(f"Missing required param: {name}.", name, "parameter_missing")
    if not value:
        raise empty(name)
    return value


def empty(name: str):
    """Return the refusal of an empty value where nothing can be unset."""
    return invalid_parameter(
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset "
        f"a parameter; however '{name}' cannot be unset. You should remove '{name}' from your "
        "request or supply a non-empty value.",
        name,
        "parameter_invalid_empty",
    )


def choice(given: dict[str, Any], name: str, choices: tuple[str, ...], default: str) -> str:
    """Return one of *choices*."""
    value = text(given, name, default) or default
    if value not in choices:
        listed = " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
        raise invalid_parameter(f"Invalid {name}: must be one of {listed}", name)
    return value


def integer(text: str, name: str) -> int:
    """Return an integer that was sent in decimal digits."""
    if not re.fullmatch(r"-?[0-9]{1,15}", text):
        raise invalid_parameter(f"Invalid integer: {text}", name, "parameter_invalid_integer")
    return int(text)


def boolean(given: dict[str, Any], name: str, default: bool) -> bool:
    """Return `true` or `false`."""
    value = text(given, name)
    if value not in (None, "true", "false"):
        raise invalid_parameter(f"Invalid boolean: {value}", name)
    return default if value is None else value == "true"


def metadata(given: dict[str, Any]) -> dict[str, str]:
    """Return the metadata within Stripe's bounds; empty values are left out, as unset."""
    wanted = given.get("metadata") or {}
    if not isinstance(wanted, dict):
        raise invalid_parameter("Invalid hash", "metadata")
    if len(wanted) > MOST_METADATA:
        message = f"Metadata can have up to 50 keys, but you passed in {len(wanted)}."
        raise invalid_parameter(message, "metadata")
    for name, value in wanted.items():
        check_metadata(name, value)
    return {name: value for name, value in wanted.items() if value}


def check_metadata(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise invalid_parameter("Metadata values must be strings.", "metadata")
    for what, part, most in (
        ("key", name, LONGEST_METADATA_NAME),
        ("value", value, LONGEST_METADATA_VALUE),
    ):
        if len(part) > most:
            message = (
                f"Metadata {what}s can have up to {most} characters, but you passed in a {what} "
                f"that is {len(part)} characters. Invalid {what}: {part}"
            )
            raise invalid_parameter(message, "metadata")


def url(given: dict[str, Any], name: str, *, only_https: bool) -> str:
    """Return an absolute URL; live mode accepts https alone."""
    value = required(given, name)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise invalid_parameter("Not a valid URL", name, "url_invalid")
    if only_https and parts.scheme != "https":
        message = "Livemode requests must always be redirected via HTTPS."
        raise invalid_parameter(message, name)
    return value
