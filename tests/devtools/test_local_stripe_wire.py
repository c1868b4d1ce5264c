"""Silence, slowness and broken connections: V24 below the level of HTTP."""

import http.client
import threading

import pytest
import requests

from tests.devtools.conftest import fail, is_used
from tests.simultaneous import until


def exchange_in_background(platform, code):
    """Start an exchange that will hang; gives its thread and what became of it."""
    outcome = []

    def attempt():
        try:
            with requests.Session() as session:
                session.trust_env = False
                data = {
                    "grant_type": "authorization_code",
                    "code": code,
                    "client_secret": platform.test.secret_key,
                }
                outcome.append(session.post(platform.url + "/oauth/token", data, timeout=30))
        except requests.RequestException as error:
            outcome.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    return thread, outcome


def was_asked(platform, code):
    asked = platform.get("/_control/requests").json()["requests"]
    return any(each["form"].get("code") == code for each in asked)


def test_v24_a_timeout_after_the_commit_has_spent_the_code(platform):
    fail(platform, "timeout-after", on="token")
    code = platform.code()
    thread, outcome = exchange_in_background(platform, code)
    until(lambda: is_used(platform, code))

    fail(platform, None)
    thread.join(10)

    assert isinstance(outcome[0], requests.ConnectionError)
    assert platform.is_connected()


def test_v24_a_hanging_stripe_does_nothing_until_the_fault_is_lifted(platform):
    fail(platform, "hang")
    code = platform.code()
    thread, outcome = exchange_in_background(platform, code)
    until(lambda: was_asked(platform, code))
    used = is_used(platform, code)

    fail(platform, None)
    thread.join(10)

    assert not used
    assert isinstance(outcome[0], requests.ConnectionError)


def test_v24_a_hang_that_was_asked_for_once_can_be_ended_too(platform):
    fail(platform, "hang", times=1)
    code = platform.code()
    thread, _ = exchange_in_background(platform, code)
    until(lambda: was_asked(platform, code))

    fail(platform, None)
    thread.join(10)

    assert not thread.is_alive()


def test_v24_a_hang_may_end_by_itself(platform):
    fail(platform, "hang", seconds=0.1)

    with pytest.raises(requests.ConnectionError):
        platform.exchange(platform.code())


def test_v24_a_slow_stripe_answers_all_the_same(platform):
    fail(platform, "slow", seconds=0.3)

    response = platform.exchange(platform.code())

    assert response.status_code == 200
    assert response.elapsed.total_seconds() >= 0.3


def test_v24_lifting_a_slow_fault_hurries_those_who_wait(platform):
    fail(platform, "slow", seconds=60)
    code = platform.code()
    thread, outcome = exchange_in_background(platform, code)
    until(lambda: was_asked(platform, code))

    fail(platform, None)
    thread.join(10)

    assert outcome[0].status_code == 200


def test_a_truncated_answer_breaks_off(platform):
    fail(platform, "truncated")
    code = platform.code()

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        platform.exchange(code)

    assert is_used(platform, code)


@pytest.mark.parametrize(
    ("name", "spent"), [("close-after-request", False), ("close-after-commit", True)]
)
def test_the_connection_can_be_reset(platform, name, spent):
    fail(platform, name)
    code = platform.code()

    with pytest.raises(requests.ConnectionError, match="reset"):
        platform.exchange(code)

    assert is_used(platform, code) is spent


def test_a_dripping_answer_outlasts_timeouts_per_read(platform):
    fail(platform, "drip", seconds=0.001)

    response = platform.http.post(
        platform.url + "/oauth/token",
        {"client_secret": platform.test.secret_key},
        timeout=0.5,
    )

    assert response.json()["error_description"] == "No grant type specified"
    assert response.elapsed.total_seconds() > 0.5


def test_lifting_a_drip_sends_the_rest_at_once(platform):
    fail(platform, "drip", seconds=60)
    thread, outcome = exchange_in_background(platform, code := platform.code())
    until(lambda: is_used(platform, code))

    fail(platform, None)
    thread.join(10)

    assert outcome[0].status_code == 200


def test_a_flood_is_good_json_of_the_size_asked_for(platform):
    fail(platform, "flood", bytes=100_000)

    response = platform.exchange(platform.code())

    assert len(response.content) > 100_000
    assert response.json()["stripe_user_id"] == platform.account.id


def test_an_endless_body_goes_on_as_long_as_somebody_reads(platform):
    fail(platform, "endless")
    host, port = platform.emulator.server.server_address
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", f"/v1/accounts/{platform.account.id}")
    response = connection.getresponse()

    read = len(response.read(1_000_000))
    connection.close()
    response.close()

    assert response.getheader("Content-Length") is None
    assert read == 1_000_000


def test_every_fault_can_be_met_on_every_path_without_breaking_the_server(platform):
    for name in platform.get("/_control/faults").json()["names"]:
        for path in ("token", "deauthorize", "accounts", "authorize"):
            fail(platform, name, on=path, times=1)
            meet(platform, path)
            fail(platform, None)

    assert platform.exchange(platform.code()).status_code == 200


def meet(platform, path):
    """Ask for *path* and read a little; whatever the fault does to us is fine."""
    host, port = platform.emulator.server.server_address
    address = {"accounts": "/v1/account"}.get(path, f"/oauth/{path}")
    connection = http.client.HTTPConnection(host, port, timeout=0.2)
    try:
        connection.request("GET" if path in ("accounts", "authorize") else "POST", address)
        connection.getresponse().read(100)
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()
