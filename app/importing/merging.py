"""Telling what has changed there from what has changed here, without keeping what was brought."""

import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

DIGEST_BYTES = 6
DIGEST_CHARACTERS = 8


class Digester:
    """Makes keyed digests of values: equal ones show that nothing changed, and nothing else."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hashlib.blake2b(digest_size=DIGEST_BYTES, key=key[:64], person=b"imported")

    def digest(self, name: str, value: Any) -> str:
        """Return the digest of *value* as the value of the column *name*."""
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat()
        made = self._keyed.copy()
        made.update(f"{name}={type(value).__name__}:{value}".encode())
        return binascii.b2a_base64(made.digest(), newline=False).decode()

    def pack(self, fields: Iterable[str], values: Mapping[str, Any]) -> str:
        """Return the digests of *values* in the order of *fields*, as they are kept."""
        return "".join(self.digest(name, values[name]) for name in fields)


@dataclass(frozen=True, slots=True)
class Merge:
    """
    What to do with a row that was imported before.

    *changes* are the values that changed there alone; *conflicts* the names of those that changed
    on both sides; *digests* is what is to be kept from now on.
    """

    changes: dict[str, Any] = field(repr=False)
    conflicts: tuple[str, ...]
    digests: str


def unpack(fields: tuple[str, ...], digests: str) -> dict[str, str]:
    """Return the kept digests by name; fields that were added since they were kept are missing."""
    chunks = (
        digests[start : start + DIGEST_CHARACTERS]
        for start in range(0, len(digests), DIGEST_CHARACTERS)
    )
    return dict(zip(fields, chunks, strict=False))


def merge(
    fields: tuple[str, ...],
    theirs: Mapping[str, Any],
    ours: Mapping[str, Any],
    digests: str,
    digester: Digester,
    held: Iterable[str] = (),
    untouched: Iterable[str] = (),
) -> Merge:
    """
    Merge *theirs* into *ours*, value by value, by the *digests* of what was brought.

    A value that changed there is taken if ours is still what was brought. Names in *held* are left
    as they are for now, and looked at again the next time; those in *untouched* count as what was
    brought, though they look different.
    """
    if digester.pack(fields, theirs) == digests:
        return Merge({}, (), digests)
    brought = unpack(fields, digests)
    changes: dict[str, Any] = {}
    conflicts = []
    for name in fields:
        digest = digester.digest(name, theirs[name])
        if name in held or digest == brought.get(name):
            continue
        own = brought.get(name) if name in untouched else digester.digest(name, ours[name])
        if own not in (digest, brought.get(name)):
            conflicts.append(name)
            continue
        brought[name] = digest
        if own != digest:
            changes[name] = theirs[name]
    for name in fields:
        if name not in brought:
            brought[name] = digester.digest(name, ours[name])
    return Merge(changes, tuple(conflicts), "".join(brought[name] for name in fields))
