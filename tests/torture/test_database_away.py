"""PostgreSQL crashes between Stripe's answer and the commit."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.simultaneous import until
from tests.torture.world import LEASE, World, let_pass, tally

pytestmark = [pytest.mark.torture, pytest.mark.timeout(300)]
PATIENCE = 12  # seconds for which keeping is tried again
TIMEOUT = 10
CRASHES = 20


@pytest.fixture(name="world")
def _world():
    with World(stripe_timeout=TIMEOUT, fsync=True) as world:
        yield world


@pytest.fixture(name="in_flight")
def _in_flight(world):
    """Links an event at a Stripe that answers once the fault is lifted."""
    with ThreadPoolExecutor(1) as pool:

        def start(event, code):
            world.stripe.control("faults", {"fault": "slow", "on": "token", "seconds": 60})
            linking = pool.submit(world.link, event, code)
            until(lambda: code in world.codes_seen())
            return linking

        yield start
        world.stripe.control("faults", {"fault": None})


def test_a_link_is_kept_when_the_database_comes_back_after_four_seconds(world, in_flight, figure):
    (event,), code = world.events(1), world.code()
    linking = in_flight(event, code)

    world.server.stop("immediate")
    world.stripe.control("faults", {"fault": None})
    let_pass(4)
    assert not linking.done()
    world.server.start()
    back = time.monotonic()
    answer = linking.result()

    figure(f"{answer.status}, {time.monotonic() - back:.2f} s after the database was back")
    assert answer.status == 201, answer.text
    assert world.link(event, code).status == 200
    assert [code] == world.codes_seen()


def test_a_link_that_can_never_be_kept_is_told_and_the_event_can_be_linked_again(
    world, in_flight, figure
):
    (event,), code = world.events(1), world.code()
    linking = in_flight(event, code)

    world.server.stop("immediate")
    world.stripe.control("faults", {"fault": None})
    away = time.monotonic()
    answer = linking.result()
    told = time.monotonic() - away
    world.server.start()
    account = world.codes_made[code]

    def link_again():
        again = world.link(event, world.code())
        return again if again.status == 201 else None

    until(link_again, seconds=TIMEOUT + LEASE, every=0.2)
    figure(f"{answer.result} after {told:.1f} s, linked again {time.monotonic() - away:.1f} s on")
    assert (answer.status, answer.result) == (503, "not-saved"), answer.text
    assert told < PATIENCE + 6
    (line,) = [each for each in world.written.splitlines() if "needs-person" in each]
    assert account in line
    assert world.codes_twice() == []
    (history,) = [world.ask("GET", f"/v1/events/{event}/stripe-link-attempts").json["data"]]
    assert [each["attributes"]["outcome"] for each in history] == ["linked", "interrupted"]


def test_a_database_that_crashes_around_the_commit_loses_no_link(world, figure):
    total = {}
    for _ in range(CRASHES):
        accounts = world.accounts(10)
        wishes = list(zip(world.events(10), map(world.code, accounts), strict=True))
        world.stripe.control("faults", {"fault": "slow", "on": "token", "seconds": 0.3})
        seen_before = len(world.codes_seen())
        with ThreadPoolExecutor(1) as pool:
            linking = pool.submit(world.link_at_once, wishes)
            until(lambda seen=seen_before: len(world.codes_seen()) == seen + 10)
            let_pass(random.uniform(0.1, 0.4))
            world.server.restart("immediate")
            answers = linking.result()
        for result, count in tally(answers).items():
            total[result] = total.get(result, 0) + count
        assert dict(tally(answers)) == {201: 10}, [each.text for each in answers]
        assert set(accounts) <= world.connected()
    linked = world.query("SELECT count(*) FROM stripe_authorizations")[0][0]
    figure(f"{CRASHES} crashes, {total}, {linked} rows")
    assert linked == 10 * CRASHES
    assert world.codes_twice() == []
