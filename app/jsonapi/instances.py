"""Instances of schemas: a few, which the threads share in turn."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from marshmallow_jsonapi import Schema

_spare: defaultdict[type[Schema], list[Schema]] = defaultdict(list)


@contextmanager
def borrowed(schema: type[Schema]) -> Iterator[Schema]:
    """
    Lend an instance of *schema* to one thread at a time: making one costs as much as a statement.

    The library keeps what a dump includes in the instance, so threads do not share it; without an
    `include`, and loading checked documents, nothing stays behind in it.
    """
    spare = _spare[schema]
    try:
        instance = spare.pop()
    except IndexError:
        instance = schema()
    try:
        yield instance
    finally:
        spare.append(instance)
