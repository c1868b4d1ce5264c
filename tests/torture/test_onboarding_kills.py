"""
Two instances on PostgreSQL, killed at each step of connecting without OAuth: whatever Stripe has
seen by then, the same user, event and mode end with one account.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.callers import document
from tests.simultaneous import until
from tests.torture.world import LEASE, LINKS, World, tally

pytestmark = [pytest.mark.torture, pytest.mark.timeout(600)]
REQUESTS = "/v1/stripe-authorization-requests"
TIMEOUT, AT_ONCE = 1, 12


@pytest.fixture(scope="module", name="world")
def _world():
    with World(stripe_timeout=TIMEOUT) as world:
        world.query("UPDATE settings SET stripe_connect_method = 'onboarding'")
        yield world


def about(event, **attributes):
    type_ = "stripe-authorization" if attributes else "stripe-authorization-request"
    return document(type_, None, {"event": {"type": "event", "id": str(event)}}, **attributes)


def accounts_for(world, event):
    """The accounts at Stripe that the rows of the event name, or have lost."""
    rows = world.query(f"SELECT reference FROM stripe_accounts WHERE event_id = {event}")
    names = {reference for (reference,) in rows}
    found = world.stripe.control("state")["accounts"]
    return [each for each in found if each["metadata"].get("open_event_account") in names]


def finish(world, begun):
    answer = requests.post(
        begun["authorize-url"], data={"decision": "finish"}, allow_redirects=False, timeout=10
    )
    assert answer.status_code == 303


def kill_while_asking(world, fault, call, path, method, address, body):
    """Kill every process while Stripe lets it wait for *call*; then start them again."""
    before = len(asked(world, path, method))
    world.stripe.control("faults", {"fault": fault, "on": call})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(world.ask, "POST", address, body)
        until(lambda: len(asked(world, path, method)) > before, seconds=10, every=0.01)
        world.kill()
        assert waiting.result().status == 0
    world.stripe.control("faults", {"fault": None})
    world.restart()


def asked(world, path, method):
    found = world.stripe.control("requests")["requests"]
    return [each for each in found if each["path"].startswith(path) and each["method"] == method]


def answered(world, address, body, *statuses):
    """Ask until one of *statuses* is the answer, for as long as a lease may last."""
    seconds = TIMEOUT + LEASE

    def ask():
        answer = world.ask("POST", address, body)
        return answer if answer.status in statuses else None

    return until(ask, seconds=seconds, every=0.25)


@pytest.mark.parametrize("fault", ["hang", "timeout-after"])
@pytest.mark.parametrize(
    ("call", "path"), [("create-account", "/v1/accounts"), ("account-links", "/v1/account_links")]
)
def test_a_kill_while_an_onboarding_begins_makes_no_second_account(world, fault, call, path):
    (event,) = world.events(1)
    kill_while_asking(world, fault, call, path, "POST", REQUESTS, about(event))

    begun = answered(world, REQUESTS, about(event), 201).json["data"]["attributes"]
    finish(world, begun)

    state = begun["state"]
    assert answered(world, LINKS, about(event, state=state), 200, 201).status == 201
    assert len(accounts_for(world, event)) == 1


def test_a_kill_while_the_account_is_read_leaves_the_state_usable(world):
    (event,) = world.events(1)
    begun = answered(world, REQUESTS, about(event), 201).json["data"]["attributes"]
    finish(world, begun)
    body = about(event, state=begun["state"])
    kill_while_asking(world, "hang", "accounts", "/v1/accounts/", "GET", LINKS, body)

    assert answered(world, LINKS, body, 200, 201).status == 201
    assert len(accounts_for(world, event)) == 1


def test_a_kill_while_an_account_is_confirmed_leaves_the_event_linkable_by_it(world):
    first, second = world.events(2)
    begun = answered(world, REQUESTS, about(first), 201).json["data"]["attributes"]
    finish(world, begun)
    made = answered(world, LINKS, about(first, state=begun["state"]), 200, 201).json["data"]
    linkage = {
        "event": {"type": "event", "id": str(second)},
        "account": {"type": "stripe-account", "id": made["attributes"]["stripe-user-id"]},
    }
    body = document("stripe-authorization", None, linkage)
    kill_while_asking(world, "hang", "accounts", "/v1/accounts/", "GET", LINKS, body)

    assert answered(world, LINKS, body, 200, 201).status == 201


def test_of_simultaneous_requests_over_two_instances_one_creates_and_one_links(world):
    (event,) = world.events(1)

    def ask(path, body):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda _: world.ask("POST", path, body), range(AT_ONCE)))

    began = ask(REQUESTS, about(event))
    assert set(tally(began)) <= {201, "conflict"}
    assert len(accounts_for(world, event)) == 1
    begun = next(each for each in began if each.status == 201).json["data"]["attributes"]
    finish(world, begun)
    results = tally(ask(LINKS, about(event, state=begun["state"])))

    assert results[201] == 1
    assert results[200] + results["link-in-progress"] == AT_ONCE - 1, results
