"""Whatever a connection does: the call ends in time and says whether anything was sent."""

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from app.clients.stripe import StripeConnect, deadline
from app.errors import StripeError, StripeTimeout, StripeUnreachable, StripeUnreadable
from tests.clients.certificates import make_self_signed
from tests.clients.conftest import TIMEOUT
from tests.clients.raw_server import (
    GOOD_GRANT,
    answering,
    closing,
    dripping,
    flooding,
    hanging,
    http,
    resetting,
    serving,
)

# What a busy machine may add before a test calls it late.
MARGIN = 0.9
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def ending_within(seconds: float, margin: float = MARGIN) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds + margin


def failure_of(stripe: StripeConnect, code: str = "ac_123") -> StripeError:
    """Exchange *code*, which must fail, within the time that `make_stripe` gives."""
    with ending_within(TIMEOUT), pytest.raises(StripeError) as caught, stripe.reserve():
        stripe.exchange_code(code, secret_key="sk_test_key", livemode=False)
    return caught.value


def exchange(stripe: StripeConnect) -> str:
    """Exchange a code and return the account's id, or the kind of the error."""
    try:
        with stripe.reserve():
            granted = stripe.exchange_code("ac_123", secret_key="sk_test_key", livemode=False)
        return granted.account_id
    except StripeError as error:
        return error.code


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"), id="drips a header"),
        pytest.param(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="drips interim answers"),
        pytest.param(dripping(HEAD + b"\r\n", b" "), id="drips a body"),
        pytest.param(
            dripping(HEAD + b"Content-Length: 9999\r\n\r\n", b" "),
            id="drips a body of known length",
        ),
        pytest.param(
            dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), id="drips chunks"
        ),
        pytest.param(flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="floods interim answers"),
        pytest.param(hanging, id="hangs"),
    ],
)
def test_an_answer_without_end_is_cut_off_in_time(make_stripe, behave):
    with serving(behave) as server:
        error = failure_of(make_stripe(server.url))

        assert isinstance(error, StripeTimeout)
        assert error.sent
        assert len(server.requests) == 1


def test_a_server_that_never_accepts_is_given_up_in_time(make_stripe):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = failure_of(make_stripe(f"http://127.0.0.1:{listener.getsockname()[1]}"))

    assert isinstance(error, StripeTimeout)


def test_a_connection_that_is_never_made_is_given_up_in_time_and_nothing_was_sent(make_stripe):
    with full_listener() as url:
        error = failure_of(make_stripe(url))

    assert isinstance(error, StripeUnreachable)
    assert not error.sent


@contextmanager
def full_listener() -> Iterator[str]:
    """A port whose queue is full, so that the kernel leaves the next connection unanswered."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(100):
            waiting = sockets.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
                return
        raise AssertionError("the queue never filled")


def test_connecting_has_less_time_than_the_whole_call(make_stripe, monkeypatch):
    monkeypatch.setattr(deadline, "CONNECT_TIMEOUT", 0.3)
    with full_listener() as url, ending_within(0.3):
        assert exchange(make_stripe(url, timeout=60)) == "stripe-unreachable"


def test_tls_has_no_more_time_than_connecting(make_stripe, monkeypatch):
    monkeypatch.setattr(deadline, "CONNECT_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener, ending_within(0.3):
        stripe = make_stripe(f"https://127.0.0.1:{listener.getsockname()[1]}", timeout=60)

        assert exchange(stripe) == "stripe-unreachable"


def test_a_slow_answer_has_more_time_than_connecting(make_stripe, monkeypatch):
    monkeypatch.setattr(deadline, "CONNECT_TIMEOUT", 0.2)

    def answer_late(connection, server):
        server.over.wait(0.6)
        connection.sendall(http(GOOD_GRANT))

    with serving(answer_late) as server:
        assert exchange(make_stripe(server.url, timeout=60)) == "acct_1Good"


def test_an_answer_without_end_is_cut_off_long_after_connecting_too(make_stripe, monkeypatch):
    monkeypatch.setattr(deadline, "CONNECT_TIMEOUT", 0.2)
    with serving(dripping(HEAD + b"\r\n", b" ")) as server:
        assert isinstance(failure_of(make_stripe(server.url)), StripeTimeout)


def test_a_short_call_is_cut_off_in_time_while_long_ones_are_under_way(make_stripe):
    drip = dripping(HEAD + b"\r\n", b" ")
    with serving(drip) as server, ThreadPoolExecutor(1) as threads:
        stripe = make_stripe(server.url, timeout=2)
        long = threads.submit(exchange, stripe)
        server.arrived.acquire()
        with ending_within(0.1), pytest.raises(StripeTimeout):
            stripe.read_account("acct_1", secret_key="sk_test_key", timeout=0.1)

        assert long.result() == "stripe-timeout"


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(closing, id="closes after reading"),
        pytest.param(resetting, id="resets after reading"),
        pytest.param(answering(http(GOOD_GRANT, length=5000)), id="less than it announced"),
        pytest.param(answering(http(GOOD_GRANT[:-20])), id="truncated JSON"),
        pytest.param(answering(http(b"<html>Bad gateway</html>")), id="HTML"),
        pytest.param(answering(http(b"")), id="nothing"),
        pytest.param(answering(b"SSH-2.0-OpenSSH_9\r\n"), id="another protocol"),
        pytest.param(answering(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200), id="200 headers"),
        pytest.param(answering(http(GOOD_GRANT + b" " * 65536)), id="over 64 KiB"),
        pytest.param(answering(http(GOOD_GRANT.rjust(65537))), id="64 KiB + 1"),
        pytest.param(flooding(HEAD + b"\r\n", b" " * 65536), id="floods a body"),
        pytest.param(flooding(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 100), id="floods headers"),
        pytest.param(
            answering(http(b"\x1f\x8b", headers=b"Content-Encoding: gzip\r\n")), id="half a gzip"
        ),
    ],
)
def test_an_answer_that_makes_no_sense_is_unreadable_and_the_code_counts_as_spent(
    make_stripe, behave
):
    with serving(behave) as server:
        error = failure_of(make_stripe(server.url))

        assert isinstance(error, StripeUnreadable)
        assert error.sent
        assert len(server.requests) == 1


def test_64_kib_are_still_read(make_stripe):
    body = GOOD_GRANT.rjust(65536)
    with serving(answering(http(body))) as server:
        stripe = make_stripe(server.url)

        assert exchange(stripe) == "acct_1Good"


def test_an_account_is_known_even_if_the_answer_that_names_it_is_cut_off(make_stripe):
    with serving(answering(http(GOOD_GRANT, length=5000))) as server:
        error = failure_of(make_stripe(server.url))

    assert error.granted_account == "acct_1Good"


def test_an_account_is_known_even_if_the_answer_that_names_it_never_ends(make_stripe):
    with serving(dripping(HEAD + b"\r\n" + GOOD_GRANT, b" ")) as server:
        error = failure_of(make_stripe(server.url))

    assert isinstance(error, StripeTimeout)
    assert error.granted_account == "acct_1Good"


def test_an_answer_that_unpacks_without_end_is_not_unpacked(make_stripe):
    bomb = gzip.compress(b" " * 50_000_000)
    with serving(answering(http(bomb, headers=b"Content-Encoding: gzip\r\n"))) as server:
        stripe = make_stripe(server.url)
        tracemalloc.start()
        try:
            error = failure_of(stripe)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert isinstance(error, StripeUnreadable)
    assert most < 2_000_000


def test_a_redirect_is_not_followed_and_the_code_goes_nowhere_else(make_stripe):
    with serving(answering(http(GOOD_GRANT))) as other:
        location = f"Location: {other.url}/oauth/token\r\n".encode()
        moved = http(b"", status="307 Temporary Redirect", headers=location)
        with serving(answering(moved)) as server:
            error = failure_of(make_stripe(server.url))

            assert isinstance(error, StripeUnreadable)
            assert (len(server.requests), len(other.requests)) == (1, 0)


def test_the_body_of_a_redirect_is_not_read_without_end(make_stripe):
    head = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"
    with serving(flooding(head, b" " * 65536)) as server:
        error = failure_of(make_stripe(server.url))

    assert isinstance(error, StripeUnreadable)


def test_a_refused_port_is_unreachable(make_stripe):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    error = failure_of(make_stripe(f"http://127.0.0.1:{port}"))

    assert isinstance(error, StripeUnreachable)
    assert not error.sent
    assert error.field is None


def test_a_name_that_does_not_exist_is_unreachable(make_stripe):
    assert isinstance(failure_of(make_stripe("https://stripe.invalid")), StripeUnreachable)


def test_an_address_that_is_none_is_unreachable(make_stripe):
    assert isinstance(failure_of(make_stripe("http://" + "a" * 70 + ".example")), StripeUnreachable)
    assert isinstance(failure_of(make_stripe("no address")), StripeUnreachable)


def test_a_name_server_that_hangs_is_given_up_in_time_and_asked_once(make_stripe, monkeypatch):
    answered, asked = threading.Event(), []
    really = socket.getaddrinfo

    def hang(host, port, *rest, flags=0, **options):
        if flags & socket.AI_NUMERICHOST:
            return really(host, port, *rest, flags=flags, **options)
        asked.append(host)
        answered.wait(30)
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    stripe = make_stripe("https://stripe.example")
    with ending_within(TIMEOUT), ThreadPoolExecutor(10) as threads:
        outcomes = list(threads.map(lambda _: exchange(stripe), range(10)))
    answered.set()

    assert outcomes == ["stripe-unreachable"] * 10
    assert asked == ["stripe.example"]


def test_a_dead_address_does_not_use_up_the_time_of_the_next(make_stripe, monkeypatch):
    with full_listener() as dead, serving(answering(http(GOOD_GRANT))) as server:
        ports = [int(dead.rsplit(":", 1)[1]), server.port]
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: addresses)
        stripe = make_stripe("http://stripe.example")

        with ending_within(TIMEOUT):
            assert exchange(stripe) == "acct_1Good"


def test_tls_with_a_server_that_speaks_none_is_unreachable(make_stripe):
    with serving(answering(http(GOOD_GRANT))) as server:
        error = failure_of(make_stripe(f"https://127.0.0.1:{server.port}"))

        assert isinstance(error, StripeUnreachable)
        assert b"ac_123" not in b"".join(server.requests)


def test_a_certificate_that_nobody_vouches_for_is_unreachable(make_stripe, tmp_path):
    context, _ = make_self_signed(tmp_path)
    with serving(answering(http(GOOD_GRANT)), context) as server:
        error = failure_of(make_stripe(server.url))

        assert isinstance(error, StripeUnreachable)
        assert "certificate verify failed" in error.cause
        assert server.requests == []


@pytest.mark.parametrize("drop", [b"", b"\x16"], ids=["hangs", "drips"])
def test_tls_that_never_gets_done_is_given_up_in_time(make_stripe, drop):
    over = threading.Event()

    def stall(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"\x16\x03\x03\x40\x00" if drop else b"")
            while not over.wait(0.05):
                try:
                    connection.sendall(drop)
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        stalling = threading.Thread(target=stall, args=(listener,))
        stalling.start()
        error = failure_of(make_stripe(f"https://127.0.0.1:{listener.getsockname()[1]}"))
        over.set()
        stalling.join()

    assert isinstance(error, StripeUnreachable)


def test_every_call_has_a_connection_of_its_own_even_if_the_server_keeps_it_open(make_stripe):
    ports = []

    def keep_open(connection, server):
        ports.append(connection.getpeername()[1])
        connection.sendall(http(GOOD_GRANT, headers=b"Connection: keep-alive\r\n"))
        server.over.wait()

    with serving(keep_open) as server:
        stripe = make_stripe(server.url)
        outcomes = [exchange(stripe) for _ in range(3)]

    assert outcomes == ["acct_1Good"] * 3
    assert len(ports) == 3


def test_a_hundred_calls_are_in_flight_at_once(make_stripe):
    all_there = threading.Barrier(100)

    def answer_together(connection, server):
        all_there.wait(20)
        connection.sendall(http(GOOD_GRANT))

    with serving(answer_together) as server, ThreadPoolExecutor(100) as threads:
        stripe = make_stripe(server.url, timeout=20)

        assert set(threads.map(lambda _: exchange(stripe), range(100))) == {"acct_1Good"}


def test_a_hundred_calls_to_a_server_that_hangs_end_together_and_in_time(make_stripe):
    with serving(hanging) as server, ThreadPoolExecutor(100) as threads:
        stripe = make_stripe(server.url, timeout=2)
        with ending_within(2, margin=8):  # to start a hundred threads on a busy machine
            outcomes = set(threads.map(lambda _: exchange(stripe), range(100)))

        assert outcomes == {"stripe-timeout"}
        assert len(server.requests) == 100


def test_more_calls_than_agreed_are_refused_at_once_and_nothing_is_sent(make_stripe):
    with serving(hanging) as server, ThreadPoolExecutor(2) as threads:
        stripe = make_stripe(server.url, max_in_flight=2)
        calls = [threads.submit(exchange, stripe) for _ in range(2)]
        for _ in calls:
            server.arrived.acquire()
        with ending_within(0), pytest.raises(StripeError) as caught, stripe.reserve():
            pass
        [call.result() for call in calls]

        assert caught.value.code == "stripe-busy"
        assert not caught.value.sent
        assert int(caught.value.headers["Retry-After"]) > 0
        assert len(server.requests) == 2


def test_a_slot_is_free_again_after_a_call_whatever_came_of_it(make_stripe):
    with serving(closing) as server:
        stripe = make_stripe(server.url, max_in_flight=1)

        assert [exchange(stripe) for _ in range(3)] == ["stripe-unreadable"] * 3


def refuse_threads(monkeypatch) -> None:
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_a_machine_that_has_no_thread_left_to_look_up_a_name_sends_nothing(
    make_stripe, monkeypatch
):
    with serving(answering(http(GOOD_GRANT))) as server:
        stripe = make_stripe(f"http://localhost:{server.port}")
        with monkeypatch.context() as patched:
            refuse_threads(patched)
            error = failure_of(stripe)

        assert isinstance(error, StripeUnreachable)
        assert server.requests == []
        assert exchange(stripe) == "acct_1Good"


def test_a_machine_that_has_no_thread_left_still_asks_an_address(make_stripe, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        threads.submit(int).result()  # now its thread is there
        stripe = make_stripe(f"http://127.0.0.1:{listener.getsockname()[1]}")
        refuse_threads(monkeypatch)
        call = threads.submit(exchange, stripe)
        connection, _ = listener.accept()
        with connection:
            connection.sendall(http(GOOD_GRANT))

            assert call.result() == "acct_1Good"
