"""Fifty at one moment, over two instances of two processes: the database decides."""

from collections import Counter

import pytest

from tests.torture.world import World, tally

pytestmark = [pytest.mark.torture, pytest.mark.timeout(180)]
AT_ONCE = 50


@pytest.fixture(scope="module", name="world")
def _world():
    with World() as world:
        yield world


@pytest.mark.parametrize("turn", range(5))
def test_of_fifty_codes_for_one_event_one_links_and_no_other_is_spent(world, turn, figure):
    (event,) = world.events(1)
    codes = world.codes(count=AT_ONCE)

    found = tally(world.link_at_once([(event, code) for code in codes]))

    figure(f"{dict(found)}")
    assert found[201] == 1
    assert found["link-in-progress"] + found["already-linked"] == AT_ONCE - 1, found
    assert len(set(codes) & set(world.codes_seen())) == 1
    assert world.codes_twice() == []


@pytest.mark.parametrize("turn", range(5))
def test_the_same_code_fifty_times_goes_to_stripe_once(world, turn, figure):
    (event,), code = world.events(1), world.code()

    found = tally(world.link_at_once([(event, code)] * AT_ONCE))

    figure(f"{dict(found)}")
    assert found[201] == 1
    assert found[200] + found["link-in-progress"] == AT_ONCE - 1, found
    assert Counter(world.codes_seen())[code] == 1


@pytest.mark.parametrize("turn", range(5))
def test_the_same_code_on_two_events_goes_to_stripe_once(world, turn, figure):
    first, second = world.events(2)
    code = world.code()

    answers = world.link_at_once([(first, code), (second, code)] * (AT_ONCE // 2))

    found = tally(answers)
    figure(f"{dict(found)}")
    assert found[201] == 1
    assert found["code-already-used"] >= AT_ONCE // 2
    assert (found["code-already-used"] + found[200] + found["link-in-progress"]) == AT_ONCE - 1, (
        found
    )
    assert Counter(world.codes_seen())[code] == 1
