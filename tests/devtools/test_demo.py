"""What `make run` starts: once, with data that stays, until it is interrupted."""

import signal

import pytest
import requests

from tests.live import Demo
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
    second.port, second.stripe_port = demo.port, demo.stripe_port

    with second, pytest.raises(StartFailed) as failure:
        second.start()

    assert "already" in failure.value.output
    assert get(f"{demo.url}/health/ready").status_code == 200
