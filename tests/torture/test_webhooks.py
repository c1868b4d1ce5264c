"""Stripe's events against two instances: a thousand of them twice, and one that is waited for."""

import time

import pytest

from tests.simultaneous import until
from tests.torture.shown_link import ShownLink
from tests.torture.webhook_storm import Storm
from tests.torture.world import World, tally

EVENTS, DISCONNECTED = 1000, 50

pytestmark = [pytest.mark.torture, pytest.mark.timeout(300)]


def test_an_account_disconnected_in_the_dashboard_is_unlinked_within_a_second(figure):
    with World(instances=2, processes=2) as world:
        world.hear_of_events()
        waits = []
        for link in [ShownLink(world) for _ in range(DISCONNECTED)]:
            began = time.monotonic()

            link.press("disconnect")

            assert until(lambda link=link: link.statuses() == [404, 404], seconds=1)
            waits.append(time.monotonic() - began)
        figure(f"{DISCONNECTED} accounts, each unlinked at both after {max(waits):.2f} s at most")


def test_a_thousand_events_twice_in_no_order_do_what_stripe_confirms_and_that_once(figure):
    with World(instances=2, processes=2) as world:
        storm = Storm(world, each=100)
        began = time.monotonic()

        answers, links = storm.rage(EVENTS)

        seconds = time.monotonic() - began
        figure(f"{len(answers)} deliveries in {seconds:.1f} s, links meanwhile: {tally(links)}")
        storm.check(answers, links)
