"""What `make run` starts: once, with data that stays, until it is interrupted."""

import signal
import socket

import pytest
import requests

from tests.live import Demo
from tests.postgres import free_port
from tests.processes import StartFailed


def get(url):
    session = requests.Session()
    session.trust_env = False
    with session:
        return session.get(url, timeout=10)


def is_served(url):
    try:
        return bool(get(url).status_code)
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize("at_start", [signal.default_int_handler, signal.SIG_IGN])
def test_an_interrupt_ends_both_servers_though_a_shell_may_have_it_ignored(at_start):
    with Demo() as demo:
        before = signal.signal(signal.SIGINT, at_start)  # what is ignored is inherited
        try:
            demo.start()
        finally:
            signal.signal(signal.SIGINT, before)
        urls = demo.url, f"http://127.0.0.1:{demo.stripe_port}/_control/faults"
        up = [is_served(url) for url in urls]

        demo.process.send_signal(signal.SIGINT)
        status = demo.process.wait(timeout=30)

        assert up == [True, True]
        assert status == 0
        assert [is_served(url) for url in urls] == [False, False]


def test_run_again_it_keeps_its_data(demo):
    event = f"{demo.url}/v1/events/1"
    before = get(event).json()

    demo.stop()
    demo.start()

    assert before == get(event).json()
    assert get(f"{demo.url}/v1/events").json()["meta"]["count"] == 1


def test_a_second_demo_says_that_the_first_is_there_and_leaves_it_alone(demo):
    second = Demo()
    second.port, second.stripe_port = demo.port, free_port()

    with second, pytest.raises(StartFailed) as failure:
        second.start()

    assert f"Port {demo.port}, where the service would listen" in failure.value.output
    assert f"PORT={demo.port + 1} make run" in failure.value.output
    assert get(f"{demo.url}/health/ready").status_code == 200


def test_a_port_that_the_local_stripe_cannot_have_is_named_with_what_to_do():
    second = Demo()
    with socket.create_server(("127.0.0.1", 0)) as taken, second:
        second.stripe_port = taken.getsockname()[1]
        with pytest.raises(StartFailed) as failure:
            second.start()

    assert f"Port {second.stripe_port}, where the local Stripe would" in failure.value.output
    assert f"STRIPE_PORT={second.stripe_port + 1} make run" in failure.value.output


def test_an_account_disconnected_at_the_local_stripe_is_unlinked_by_its_webhook(demo):
    sign_in = {"email": "organizer@example.com", "password": "demo-organizer"}
    with requests.Session() as http:
        http.trust_env = False
        token = http.post(f"{demo.url}/auth/session", json=sign_in, timeout=10).json()
        linked = link(http, demo, token["access_token"])
        stripe = f"http://127.0.0.1:{demo.stripe_port}/_control"
        http.delete(f"{stripe}/connections", json={"account": linked}, timeout=10)
        http.post(f"{stripe}/webhooks", json={"wait": 20}, timeout=30)
        deliveries = http.get(f"{stripe}/events", timeout=10).json()["events"]
        left = http.get(f"{demo.url}/v1/events/1/stripe-authorization", timeout=10)

    assert deliveries[-1]["event"]["type"] == "account.application.deauthorized"
    assert {each["state"] for each in deliveries[-1]["deliveries"]} == {"delivered"}
    assert left.status_code == 404


def link(http, demo, token):
    """Link an account to the demo's event; returns the account's id."""
    minted = http.post(
        f"http://127.0.0.1:{demo.stripe_port}/_control/codes", json={}, timeout=10
    ).json()
    document = {
        "data": {
            "type": "stripe-authorization",
            "attributes": {"stripe-auth-code": minted["code"]},
            "relationships": {"event": {"data": {"type": "event", "id": "1"}}},
        }
    }
    answer = http.post(
        f"{demo.url}/v1/stripe-authorizations",
        json=document,
        headers={"Authorization": f"JWT {token}"},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text
    return minted["account"]
