"""What Schemathesis generates from the document is answered as the document says, to each role."""

from tests.databases import on_sqlite
from tests.http.described import Described

pytestmark = on_sqlite


def test_generated_requests_are_answered_as_described(app, stripe):
    described = Described(app, stripe)

    for operation in described.operations():
        described.try_operation(operation, examples=2)

    assert described.sent >= 400
