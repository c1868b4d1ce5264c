"""At least twenty thousand generated requests as each role."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests import generated
from tests.databases import on_sqlite

EACH = 20_000

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3600)]


@on_sqlite
@pytest.mark.parametrize("role", generated.ROLES, ids=lambda role: role.name.lower())
def test_no_request_breaks_the_service_or_tells_a_secret(app, stripe, role, capsys):
    world = generated.World(app, stripe, role)

    @settings(max_examples=EACH, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(generated.requests)
    def ask(request):
        world.ask(*request)

    ask()

    assert world.sent >= EACH
    with capsys.disabled():
        figures = ", ".join(f"{status}: {n}" for status, n in sorted(world.statuses.items()))
        print(f"\n{role.name.lower()}: {world.sent} requests; {figures}")  # noqa: T201
