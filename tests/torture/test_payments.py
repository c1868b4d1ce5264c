"""Payments through kills and crashes: one payment intent per key at Stripe, found again, always."""

import os
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.auth.tokens import issue_access_token, new_session_id
from tests.callers import document
from tests.simultaneous import until
from tests.torture.world import World, ask

pytestmark = [pytest.mark.torture, pytest.mark.timeout(900)]
ROUNDS = int(os.environ.get("KILLS", "5"))
AT_ONCE = 12
PAYMENTS = "/v1/payment-intents"


@pytest.fixture(name="world")
def _world():
    with World(stripe_timeout=1, fsync=True) as world:
        yield world


@pytest.fixture(name="pay")
def _pay(world):
    """Asks for a payment under a key, at one of the instances."""
    (event,) = world.events(1)
    account = world.accounts(1)[0]
    assert world.link(event, world.code(account)).status == 201
    token = issue_access_token(world.make.admin(), new_session_id())
    world._let_go()

    def pay(key):
        body = document(
            "payment-intent",
            relationships={"event": {"type": "event", "id": str(event)}},
            amount=1999,
            currency="EUR",
            idempotency_key=key,
        )
        return ask(world.base(), "POST", PAYMENTS, body, token=token)

    return pay


def made(world):
    """How many payment intents Stripe has under each Idempotency-Key."""
    found = world.stripe.control("state")["payment_intents"]
    return Counter(each["metadata"]["open_event_payment"] for each in found)


def pay_during(world, pay, keys, disturb):
    """Ask for a payment under each key at one moment, and *disturb* while that goes on."""
    world.stripe.control("faults", {"fault": "slow", "seconds": 0.2})
    with ThreadPoolExecutor(len(keys)) as pool:
        asked = [pool.submit(pay, key) for key in keys]
        threading.Event().wait(random.uniform(0.02, 0.5))
        disturb()
        for each in asked:
            each.result()
    world.stripe.control("faults", {"fault": None})


def finish(pay, key):
    """Ask again until the payment is there; the lease of a process that died ends by itself."""
    return until(lambda: pay(key).status in (200, 201), seconds=30, every=0.5)


def test_payments_that_were_killed_are_found_again_and_are_one_each(world, pay, figure):
    keys = []
    for number in range(ROUNDS):
        batch = [f"order-{number}-{each}" for each in range(AT_ONCE)]
        keys += batch
        pay_during(world, pay, batch, world.kill)
        world.restart()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda key: finish(pay, key), batch))

    counts = made(world)
    kept = dict(world.query("SELECT stripe_key, stripe_payment_intent_id FROM payment_intents"))
    figure(f"{ROUNDS} kills, {len(keys)} payments, {len(counts)} intents at Stripe")
    assert set(counts.values()) == {1}
    assert len(counts) == len(keys) == len(kept)
    assert set(counts) == set(kept)
    assert None not in kept.values()


def test_payments_survive_a_crash_of_the_database_around_the_commit(world, pay, figure):
    keys = []

    def crash():
        world.server.stop("immediate")
        world.server.start()

    for number in range(max(2, ROUNDS // 2)):
        batch = [f"order-{number}-{each}" for each in range(AT_ONCE)]
        keys += batch
        pay_during(world, pay, batch, crash)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda key: finish(pay, key), batch))

    counts = made(world)
    figure(f"{len(keys)} payments, {len(counts)} intents at Stripe")
    assert set(counts.values()) == {1}
    assert len(counts) == len(keys)
