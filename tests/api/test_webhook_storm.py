"""Webhooks against two real instances: the small form of `tests/torture/test_webhooks.py`."""

from tests.torture.webhook_storm import Storm
from tests.torture.world import World


def test_events_that_come_twice_in_no_order_over_two_instances_count_once():
    with World(instances=2, processes=1) as world:
        storm = Storm(world, each=6)

        storm.check(*storm.rage(60))
