"""Through `STRIPE_PROXY`: nothing but the proxy is dialled, and the time counts there as well."""

import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.clients.stripe import deadline
from app.clients.stripe.transport import Answer, Transport
from tests.clients.certificates import make_self_signed
from tests.clients.raw_server import (
    GOOD_GRANT,
    answering,
    closing,
    dripping,
    forwarding,
    hanging,
    http,
    serving,
)

Send = Callable[..., Answer]
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
CANARY = {"code": "ac_CANARY"}


@pytest.fixture(name="certificate")
def _certificate(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    return make_self_signed(tmp_path)


@pytest.fixture(name="tls")
def _tls(certificate: tuple[ssl.SSLContext, str]) -> ssl.SSLContext:
    return certificate[0]


@pytest.fixture(name="send")
def _send(certificate: tuple[ssl.SSLContext, str]) -> Send:
    """Send a form with a secret through a proxy."""

    def send(url: str, *, via: str, timeout: float = 5) -> Answer:
        transport = Transport(user_agent="test", ca_file=certificate[1], proxy=via)
        return transport.send("POST", url, timeout=timeout, form=CANARY)

    return send


def test_over_tls_the_proxy_is_asked_for_a_tunnel_and_sees_nothing_of_the_call(send, tls):
    with serving(answering(http(GOOD_GRANT)), tls) as server, serving(forwarding) as proxy:
        answer = send(f"{server.url}/oauth/token", via=proxy.url)

    [asked] = proxy.requests
    assert answer.body == GOOD_GRANT
    assert asked.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.".encode())
    assert b"CANARY" not in asked
    assert b"CANARY" in server.requests[0]


def test_without_tls_the_proxy_is_given_the_whole_address(send):
    with serving(answering(http(GOOD_GRANT))) as proxy:
        answer = send("http://stripe.invalid/oauth/token", via=proxy.url)

    [asked] = proxy.requests
    assert answer.body == GOOD_GRANT
    assert asked.startswith(b"POST http://stripe.invalid/oauth/token HTTP/1.1\r\n")
    assert b"Host: stripe.invalid\r\n" in asked


def test_the_name_is_looked_up_by_the_proxy_alone(send):
    with serving(answering(http(b"", status="502 Bad Gateway"))) as proxy:
        send("https://stripe.invalid/", via=proxy.url)

    assert proxy.requests[0].startswith(b"CONNECT stripe.invalid:443 HTTP/1.")


def test_a_proxy_that_is_somebody_else_cannot_answer_for_stripe(send, tmp_path):
    (tmp_path / "other").mkdir()
    other, _ = make_self_signed(tmp_path / "other")
    with serving(answering(http(GOOD_GRANT)), other) as thief, serving(forwarding) as proxy:
        answer = send(f"https://127.0.0.1:{thief.port}", via=proxy.url)

    assert answer.fault == "unreachable"
    assert "certificate verify failed" in answer.cause
    assert thief.requests == []


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(answering(http(b"", status="403 Forbidden")), id="refuses"),
        pytest.param(answering(http(b"", status="407 Proxy Auth")), id="wants credentials"),
        pytest.param(answering(http(b"", status="502 Bad Gateway")), id="cannot connect"),
        pytest.param(answering(b"SSH-2.0-OpenSSH_9\r\n"), id="is none"),
        pytest.param(answering(ESTABLISHED), id="closes the tunnel at once"),
        pytest.param(closing, id="closes"),
    ],
)
def test_nothing_was_sent_if_the_proxy_opens_no_tunnel(send, behave):
    with serving(behave) as proxy:
        answer = send("https://127.0.0.1:1/", via=proxy.url)

        assert answer.fault == "unreachable"
        assert b"CANARY" not in b"".join(proxy.requests)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_was_sent_if_nobody_is_at_the_proxys_address(send, scheme):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    answer = send(f"{scheme}://127.0.0.1:1/", via=f"http://127.0.0.1:{port}")

    assert answer.fault == "unreachable"


def test_nothing_was_sent_on_if_the_proxy_wants_credentials_without_tls_too(send):
    with serving(answering(http(b"", status="407 Proxy Authentication Required"))) as proxy:
        answer = send("http://stripe.invalid/", via=proxy.url)

    assert answer.fault == "unreachable"


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(hanging, id="hangs"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"), id="drips its consent"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), id="drips headers"),
        pytest.param(dripping(ESTABLISHED, b""), id="hangs in TLS"),
        pytest.param(dripping(ESTABLISHED + b"\x16\x03\x03\x40\x00", b"\x16"), id="drips in TLS"),
    ],
)
def test_a_tunnel_that_does_not_stand_in_time_is_given_up_and_nothing_was_sent(
    send, behave, monkeypatch
):
    monkeypatch.setattr(deadline, "CONNECT_TIMEOUT", 0.4)
    with serving(behave) as proxy:
        start = time.monotonic()
        answer = send("https://127.0.0.1:1/", via=proxy.url, timeout=60)

        assert answer.fault == "unreachable"
        assert time.monotonic() - start < 1.3


def test_consent_and_tls_share_the_time_to_connect(send, monkeypatch):
    monkeypatch.setattr(deadline, "CONNECT_TIMEOUT", 1.5)

    def consent_late(connection, server):
        server.over.wait(1.2)
        connection.sendall(ESTABLISHED)
        server.over.wait()

    with serving(consent_late) as proxy:
        start = time.monotonic()
        answer = send("https://127.0.0.1:1/", via=proxy.url, timeout=60)

        assert answer.fault == "unreachable"
        assert time.monotonic() - start < 2.3


def test_an_answer_that_drips_through_the_tunnel_is_cut_off_in_time(send, tls):
    drip = dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" ")
    with serving(drip, tls) as server, serving(forwarding) as proxy:
        start = time.monotonic()
        answer = send(server.url, via=proxy.url, timeout=0.6)

        assert answer.fault == "timeout"
        assert time.monotonic() - start < 1.5


def test_a_tunnel_that_breaks_after_the_request_leaves_it_open_whether_it_arrived(send, tls):
    with serving(closing, tls) as server, serving(forwarding) as proxy:
        answer = send(server.url, via=proxy.url)

    assert answer.fault == "broken"


def test_the_client_goes_through_the_proxy_that_it_is_given(make_stripe):
    with serving(answering(http(GOOD_GRANT))) as proxy:
        stripe = make_stripe("http://stripe.invalid", proxy=proxy.url)
        granted = stripe.exchange_code("ac_1", secret_key="sk_test_1", livemode=False)

    assert granted.account_id == "acct_1Good"
    assert len(proxy.requests) == 1


def test_a_proxy_in_the_environment_does_not_count_beside_ours(send, monkeypatch):
    with serving(answering(http(GOOD_GRANT))) as proxy, serving(closing) as other:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, other.url)
        monkeypatch.setenv("no_proxy", "*")
        answer = send("http://stripe.invalid/", via=proxy.url)

    assert answer.body == GOOD_GRANT
    assert other.requests == []
