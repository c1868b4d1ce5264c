"""What Schemathesis generates from the document is answered as the document says, to each role."""

import pytest

from tests.http.described import Described


@pytest.fixture(params=["sqlite"], name="database_url")
def _database_url(tmp_path, sqlite_template):
    path = tmp_path / "app.db"
    path.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{path}"


def test_generated_requests_are_answered_as_described(app, stripe):
    described = Described(app, stripe)

    for operation in described.operations():
        described.try_operation(operation, examples=2)

    assert described.sent >= 400
