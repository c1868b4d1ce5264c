"""What the transport promises beside Stripe: deadlines over TLS too, and after a fork."""

import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.clients.stripe.transport import Transport
from tests.clients.certificates import make_self_signed
from tests.clients.raw_server import (
    GOOD_GRANT,
    answering,
    closing,
    dripping,
    hanging,
    http,
    serving,
)

# A server that hangs would be given up by requests alone; one that drips needs a deadline.
DRIP = dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" ")
ROOT = Path(__file__).parents[2]
FORKING = """
import os, sys, time
from app.clients.stripe.transport import Transport
transport = Transport(user_agent="test")
transport.send("GET", sys.argv[1], timeout=0.3)
child = os.fork()
if child == 0:
    start = time.monotonic()
    answer = transport.send("GET", sys.argv[1], timeout=0.3)
    os._exit(0 if answer.fault == "timeout" and time.monotonic() - start < 2 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture(name="certificate")
def _certificate(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    return make_self_signed(tmp_path)


@pytest.fixture(name="tls")
def _tls(certificate: tuple[ssl.SSLContext, str]) -> ssl.SSLContext:
    """What a server needs to be trusted by *transport*."""
    return certificate[0]


@pytest.fixture(name="transport")
def _transport(certificate: tuple[ssl.SSLContext, str]) -> Transport:
    return Transport(user_agent="test", ca_file=certificate[1])


def test_an_answer_over_tls_is_read(transport, tls):
    with serving(answering(http(GOOD_GRANT)), tls) as server:
        answer = transport.send("GET", server.url, timeout=5)

    assert answer.body == GOOD_GRANT
    assert answer.fault is None


def test_a_certificate_for_another_host_is_not_taken(transport, tls):
    with serving(answering(http(GOOD_GRANT)), tls) as server:
        answer = transport.send("GET", f"https://localhost:{server.port}", timeout=5)

    assert answer.fault == "unreachable"
    assert "Hostname mismatch" in answer.cause


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"), id="drips a header"),
        pytest.param(DRIP, id="drips a body"),
        pytest.param(hanging, id="hangs"),
    ],
)
def test_an_answer_without_end_over_tls_is_cut_off_in_time(transport, tls, behave):
    with serving(behave, tls) as server:
        start = time.monotonic()
        answer = transport.send("POST", server.url, timeout=0.5, form={"a": "b"})

        assert answer.fault == "timeout"
        assert time.monotonic() - start < 1.4


def test_a_connection_over_tls_that_is_closed_after_the_request_is_broken(transport, tls):
    with serving(closing, tls) as server:
        answer = transport.send("POST", server.url, timeout=5, form={"a": "b"})

    assert answer.fault == "broken"


def test_a_forked_child_has_its_deadlines_too():
    with serving(DRIP) as server:
        finished = subprocess.run(
            [sys.executable, "-c", FORKING, server.url], cwd=ROOT, timeout=30, check=False
        )

    assert finished.returncode == 0


def test_what_was_sent_and_what_came_are_not_in_the_repr_of_an_answer(transport):
    with serving(answering(http(b"sk_test_CANARY"))) as server:
        answer = transport.send("GET", server.url, timeout=5)

    assert "CANARY" not in repr(answer)
