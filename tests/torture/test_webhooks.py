"""A thousand events, each twice, shuffled, by eight connections, against two instances."""

import time

import pytest

from tests.torture.webhook_storm import Storm
from tests.torture.world import World, tally

EVENTS = 1000


@pytest.mark.torture
@pytest.mark.timeout(300)
def test_a_thousand_events_twice_in_no_order_do_what_stripe_confirms_and_that_once(figure):
    with World(instances=2, processes=2) as world:
        storm = Storm(world, each=100)
        began = time.monotonic()

        answers, links = storm.rage(EVENTS)

        seconds = time.monotonic() - began
        figure(f"{len(answers)} deliveries in {seconds:.1f} s, links meanwhile: {tally(links)}")
        storm.check(answers, links)
