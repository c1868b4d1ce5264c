"""A few hundred generated requests as each role; the torture has twenty thousand."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests import generated
from tests.databases import on_postgresql


@on_postgresql  # it refuses more values than SQLite; the torture runs on that
@pytest.mark.parametrize("role", generated.ROLES, ids=lambda role: role.name.lower())
def test_no_request_breaks_the_service_or_tells_a_secret(app, stripe, role):
    world = generated.World(app, stripe, role)

    @settings(max_examples=150, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(generated.requests)
    def ask(request):
        world.ask(*request)

    ask()

    assert world.sent >= 150
