"""The adapter below our client, given to another user of requests: the `stripe` package."""

import json
import threading
import time

import pytest
import requests
import stripe

from app.clients.stripe.deadline import DeadlineAdapter, trusting
from tests.clients.raw_server import answering, dripping, http, serving


@pytest.fixture(name="session")
def _session():
    """A session of requests with our adapter."""
    session = requests.Session()
    adapter = DeadlineAdapter(trusting())
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    with session:
        yield session


def package(session, url, *, timeout):
    """The `stripe` package as a client that uses *session*."""
    return stripe.StripeClient(
        "sk_test_1",
        base_addresses={"api": url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(session=session, timeout=timeout),
    )


def test_the_stripe_package_speaks_through_it(session):
    body = json.dumps({"id": "acct_1", "object": "account"}).encode()
    with serving(answering(http(body))) as server:
        account = package(session, server.url, timeout=5).v1.accounts.retrieve("acct_1")

    assert account.id == "acct_1"
    assert server.requests[0].startswith(b"GET /v1/accounts/acct_1 HTTP/1.1\r\n")


def test_the_stripe_package_is_cut_off_in_time_by_it(session):
    with serving(dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" ")) as server:
        start = time.monotonic()
        with pytest.raises(stripe.APIConnectionError):
            package(session, server.url, timeout=0.5).v1.accounts.retrieve("acct_1")

        assert time.monotonic() - start < 1.4


def test_each_request_has_a_connection_of_its_own(session):
    kept_open = http(b"{}", headers=b"Connection: keep-alive\r\n")
    with serving(answering(kept_open)) as server:
        answers = [session.get(server.url, timeout=5).json() for _ in range(3)]

    assert answers == [{}, {}, {}]
    assert len(server.requests) == 3


@pytest.mark.parametrize("timeout", [None, (3, 20)])
def test_a_call_without_one_timeout_for_all_of_it_is_refused(session, timeout):
    with pytest.raises(ValueError, match="one number of seconds"):
        session.get("http://127.0.0.1:1", timeout=timeout)


def test_a_connection_is_closed_as_soon_as_its_answer_is_read(session):
    closed = threading.Event()

    def keep_open(connection, server):
        connection.sendall(http(b"{}", headers=b"Connection: keep-alive\r\n"))
        if connection.recv(1) == b"":
            closed.set()

    with serving(keep_open) as server:
        response = session.get(server.url, timeout=5)

        assert closed.wait(5)
        assert response.json() == {}
