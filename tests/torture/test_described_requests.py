"""Many requests generated from the document; `make test` has a few for each operation."""

import pytest

from tests.databases import on_sqlite
from tests.http.described import Described

pytestmark = [pytest.mark.torture, pytest.mark.timeout(1200), on_sqlite]


def test_thousands_of_generated_requests_are_answered_as_described(app, stripe):
    described = Described(app, stripe)

    for operation in described.operations():
        described.try_operation(operation, examples=100)

    assert described.sent >= 20000
