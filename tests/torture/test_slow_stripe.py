"""Three hundred exchanges in flight: everybody else is served as if there were none."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.simultaneous import until
from tests.torture.world import World, let_pass, tally

pytestmark = [pytest.mark.torture, pytest.mark.timeout(300)]
IN_FLIGHT = 300
POOLS = 4 * 20  # two instances of two processes, twenty connections each
READERS = 4
BRIEF = 0.25  # seconds between two statements of a short transaction, while links only wait
ACTIVITY = """
    SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - state_change))
        FILTER (WHERE state LIKE 'idle in transaction%'), 0)
    FROM pg_stat_activity WHERE datname = 'world' AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="module", name="world")
def _world():
    with World(stripe_timeout=60) as world:
        yield world


class Background:
    """Reads an event again and again, and watches the database, until it is told to stop."""

    def __init__(self, world, event):
        self.world, self.path = world, f"/v1/events/{event}"
        self.over = threading.Event()
        self.reads, self.sampled = [], []

    def __enter__(self):
        works = [self.read] * READERS + [self.sample]
        self.threads = [threading.Thread(target=work) for work in works]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_exc):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def read(self):
        while not self.over.is_set():
            began = time.monotonic()
            self.reads.append((began, self.world.ask("GET", self.path)))

    def sample(self):
        while not self.over.wait(0.05):
            self.sampled.append((time.monotonic(), *self.world.query(ACTIVITY)[0]))


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def in_milliseconds(answers):
    times = [each.seconds * 1000 for each in answers]
    return f"p50 {percentile(times, 0.5):.0f} ms, p99 {percentile(times, 0.99):.0f} ms"


def test_reads_are_answered_while_three_hundred_wait_for_stripe(world, figure):
    events = world.events(IN_FLIGHT + 1)
    codes = map(world.code, world.accounts(IN_FLIGHT))
    wishes = list(zip(events[1:], codes, strict=True))
    world.stripe.control("faults", {"fault": "slow", "on": "token", "seconds": 120})

    with Background(world, events[0]) as background, ThreadPoolExecutor(1) as pool:
        linking = pool.submit(world.link_at_once, wishes)
        until(lambda: len(world.codes_seen()) == IN_FLIGHT, seconds=50, every=0.1)
        all_wait = time.monotonic()
        let_pass(2)  # a Stripe of two seconds
        answered = time.monotonic()
        world.stripe.control("faults", {"fault": None})
        answers = linking.result()

    held = [answer for began, answer in background.reads if all_wait < began < answered]
    reads = [answer for _, answer in background.reads]
    connections = max(count for _, count, _ in background.sampled)
    idle = float(max(idle for at, _, idle in background.sampled if all_wait < at < answered))
    longest = float(max(idle for _, _, idle in background.sampled))
    figure(f"{len(held)} reads in the 2 s in which all waited, {in_milliseconds(held)}")
    figure(f"{len(reads)} reads from first to last, {in_milliseconds(reads)}")
    figure(f"at most {connections} connections; idle in transaction at most {idle * 1000:.0f} ms")
    figure(f"and {longest * 1000:.0f} ms while three hundred claimed or kept at once")
    assert dict(tally(answers)) == {201: IN_FLIGHT}
    assert {200} == {each.status for each in reads}
    assert len(held) >= 50
    assert percentile([each.seconds for each in held], 0.99) < 2
    assert connections <= POOLS
    assert idle < BRIEF
    assert world.codes_twice() == []


def test_three_hundred_links_at_a_stripe_of_two_seconds(world, figure):
    events = world.events(IN_FLIGHT + 1)
    codes = map(world.code, world.accounts(IN_FLIGHT))
    wishes = list(zip(events[1:], codes, strict=True))
    world.stripe.control("faults", {"fault": "slow", "on": "token", "seconds": 2})
    began = time.monotonic()

    with Background(world, events[0]) as background:
        answers = world.link_at_once(wishes)

    took = time.monotonic() - began
    reads = [answer for _, answer in background.reads]
    figure(f"{IN_FLIGHT} links in {took:.1f} s; {len(reads)} reads, {in_milliseconds(reads)}")
    assert dict(tally(answers)) == {201: IN_FLIGHT}
    assert {200} == {each.status for each in reads}
    assert world.codes_twice() == []
