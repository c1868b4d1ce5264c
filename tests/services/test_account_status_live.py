"""
How accounts are doing, over real sockets: two instances, the background's own thread in each, and
webhooks sent by the local Stripe.
"""

import pytest

from tests.simultaneous import until
from tests.torture.shown_link import ShownLink
from tests.torture.world import World


@pytest.fixture(name="world", scope="module")
def _world():
    with World(instances=2, processes=2) as world:
        world.hear_of_events()
        yield world


@pytest.fixture(name="link")
def _link(world):
    return ShownLink(world)


def test_a_new_link_is_soon_known_as_active_at_every_instance(link):
    assert until(lambda: link.statuses() == ["active", "active"])


def test_an_account_restricted_at_stripe_is_soon_shown_as_restricted(link):
    until(lambda: link.statuses() == ["active", "active"])

    link.press("restrict")

    assert until(lambda: link.statuses() == ["restricted", "restricted"])


def test_an_account_disconnected_in_the_dashboard_is_soon_unlinked_at_every_instance(link):
    link.press("disconnect")

    assert until(lambda: link.statuses() == [404, 404])
