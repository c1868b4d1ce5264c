"""The server in each process: what clients may do to it, and what they may not."""

import json
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from app.http import connection as connection_module
from app.http import worker as worker_module
from app.http.connection import DETAILS, MOST_DISCARDED
from app.http.request_parser import LARGEST_BODY
from app.http.request_threads import RequestThreads
from tests.http.serving import LONG, ask, connected, is_closed, read, served

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost"
HALF_A_BODY = POST + b"Content-Length: 2\r\n\r\n{"
HALF_A_CHUNK = POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"


def echo(environ, start_response):
    """Answer with the environment, and with how much of the body is there."""
    body = environ["wsgi.input"].read()
    texts = {name: value for name, value in environ.items() if isinstance(value, str)}
    document = json.dumps({**texts, "received": len(body)}).encode()
    start_response("200 OK", [("Content-Length", str(len(document))), ("ETag", '"a"')])
    return [document]


class Slow:
    """Answers when it is told to."""

    def __init__(self):
        self.asked, self.may_answer = threading.Semaphore(0), threading.Event()

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            self.asked.release()
            self.may_answer.wait(LONG)
        return echo(environ, start_response)


@pytest.fixture(name="worker")
def _worker():
    with served(echo) as worker:
        yield worker


@pytest.fixture(name="brief")
def _brief(monkeypatch):
    """Clients are given up early."""
    monkeypatch.setattr(worker_module, "SILENCE", 0.5)
    monkeypatch.setattr(connection_module, "WHOLE_REQUEST", 2)


def header(head, name):
    return next((line for line in head.split("\r\n") if line.startswith(f"{name}: ")), None)


@pytest.mark.parametrize("piece", [b"", HALF_A_HEAD, HALF_A_BODY, HALF_A_CHUNK])
def test_a_silent_client_is_disconnected(brief, worker, piece):
    with connected(worker, piece) as connection:
        assert is_closed(connection)


def test_a_connection_that_is_kept_open_without_a_request_is_closed(brief, worker):
    with connected(worker, GET) as connection:
        head, _ = read(connection)

        assert head.startswith("HTTP/1.1 200 ")
        assert is_closed(connection)


def test_a_request_that_arrives_byte_by_byte_is_given_up(brief, worker):
    began = time.monotonic()
    with connected(worker) as connection, pytest.raises(OSError):  # the connection is gone
        while time.monotonic() - began < LONG:
            connection.sendall(b"G")
            time.sleep(0.1)  # how a slow client behaves

    assert time.monotonic() - began >= 2


def test_a_client_that_waits_for_its_answer_is_not_silent(brief):
    slow = Slow()
    with served(slow) as worker, connected(worker, SLOW) as connection:
        assert slow.asked.acquire(timeout=LONG)
        with connected(worker) as idle:
            assert is_closed(idle)  # so the time has passed

        slow.may_answer.set()
        assert read(connection)[0].startswith("HTTP/1.1 200 ")


def test_requests_that_are_not_complete_hold_no_thread():
    with served(echo, threads=2) as worker, ExitStack() as stack:
        for piece in [HALF_A_HEAD, HALF_A_BODY, HALF_A_CHUNK] * 20:
            stack.enter_context(connected(worker, piece))

        assert ask(worker, GET)[0].startswith("HTTP/1.1 200 ")


def test_silent_clients_make_room_when_there_is_no_other(monkeypatch):
    monkeypatch.setattr(worker_module, "SILENCE_WHEN_FULL", 0.1)
    with served(echo, connections=20) as worker, ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(connected(worker, HALF_A_HEAD))

        began = time.monotonic()
        assert ask(worker, GET)[0].startswith("HTTP/1.1 200 ")
        assert time.monotonic() - began < worker_module.SILENCE / 2


def test_several_requests_share_a_connection(worker):
    with connected(worker, GET) as connection:
        first, _ = read(connection)
        connection.sendall(GET)
        second, _ = read(connection)

    assert header(first, "Connection") is None
    assert second.startswith("HTTP/1.1 200 ")


def test_an_answer_without_a_body_keeps_the_connection():
    def unchanged(_environ, start_response):
        start_response("304 Not Modified", [("ETag", '"a"')])
        return []

    with served(unchanged) as worker, connected(worker, GET) as connection:
        assert header(read(connection)[0], "Connection") is None
        connection.sendall(GET)
        assert read(connection)[0].startswith("HTTP/1.1 304 ")


def test_an_answer_of_unknown_length_comes_in_chunks():
    def pieces(_environ, start_response):
        start_response("200 OK", [])
        yield b"abc"
        yield b"de"

    with served(pieces) as worker, connected(worker, GET) as connection:
        got = b""
        while not got.endswith(b"0\r\n\r\n"):
            got += connection.recv(65536)

    assert b"Transfer-Encoding: chunked" in got
    assert got.endswith(b"\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


def test_names_of_headers_are_sent_as_the_application_gives_them(worker):
    assert header(ask(worker, GET)[0], "ETag") == 'ETag: "a"'


def test_old_clients_are_answered_and_the_connection_closed(worker):
    with connected(worker, b"GET / HTTP/1.0\r\n\r\n") as connection:
        head, body = read(connection)

        assert head.startswith("HTTP/1.0 200 ")
        assert is_closed(connection)
    assert json.loads(body)["SERVER_NAME"] == "127.0.0.1"


def test_a_client_that_asks_first_is_told_to_go_on(worker):
    with connected(
        worker, POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    ) as connection:
        told = connection.recv(65536)
        connection.sendall(b"{}")
        _, body = read(connection)

    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert json.loads(body)["received"] == 2


def test_forwarded_addresses_are_left_to_the_application(worker):
    forwarded = b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n"

    environ = json.loads(ask(worker, GET[:-2] + forwarded)[1])

    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"
    assert environ["HTTP_X_FORWARDED_PROTO"] == "https"
    assert environ["wsgi.url_scheme"] == "http"


def test_the_path_reaches_the_application_as_it_was_sent(worker):
    environ = json.loads(ask(worker, GET.replace(b"/ ", b"//a.example/%2e%2e?b=c "))[1])

    assert environ["PATH_INFO"] == "//a.example/.."
    assert environ["QUERY_STRING"] == "b=c"


def test_clients_are_known_by_their_ipv6_address():
    with served(echo, family=socket.AF_INET6, address=("::1", 0)) as worker:
        assert json.loads(ask(worker, GET)[1])["REMOTE_ADDR"] == "::1"


def test_clients_at_a_socket_file_have_no_address(tmp_path):
    path = str(tmp_path / "socket")
    with served(echo, family=socket.AF_UNIX, address=path) as worker:
        assert json.loads(ask(worker, GET)[1])["REMOTE_ADDR"] == ""


@pytest.mark.parametrize("length", [LARGEST_BODY, LARGEST_BODY + 100_000])
def test_of_a_large_body_one_byte_too_many_reaches_the_application(worker, length):
    environ = json.loads(
        ask(worker, POST + b"Content-Length: %d\r\n\r\n" % length, b"a" * length)[1]
    )

    assert environ["received"] == LARGEST_BODY
    assert int(environ["CONTENT_LENGTH"]) == length


def test_a_large_body_in_chunks_is_known_by_its_length(worker):
    chunk = b"40000\r\n" + b"a" * 0x40000 + b"\r\n"

    environ = json.loads(
        ask(worker, POST + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 8, b"0\r\n\r\n")[1]
    )

    assert int(environ["CONTENT_LENGTH"]) == LARGEST_BODY


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_a_huge_body_is_answered_before_it_is_sent(worker, expect):
    head = POST + b"Content-Length: %d\r\n" % MOST_DISCARDED + expect + b"\r\n"
    with connected(worker, head) as connection:
        answer, body = read(connection)

        assert header(answer, "Connection") == "Connection: close"
        assert int(json.loads(body)["CONTENT_LENGTH"]) == MOST_DISCARDED
        assert is_closed(connection)


BAD = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "another version": (b"GET / HTTP/2.0\r\n\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "no colon": (b"Nonsense\r\n", 400),
    "a blank before the colon": (b"A : b\r\n", 400),
    "folded": (b"A: b\r\n c\r\n", 400),
    "a bare line feed": (b"A: b\nC: d\r\n", 400),
    "two lengths": (b"Content-Length: 1\r\nContent-Length: 2\r\n", 400),
    "a length with a sign": (b"Content-Length: +1\r\n", 400),
    "an endless length": (b"Content-Length: " + b"9" * 5000 + b"\r\n", 400),
    "length and chunks": (b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400),
    "chunks twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 501),
    "chunks in disguise": (b"Transfer-Encoding: \x0bchunked\r\n", 501),
    "gzip": (b"Transfer-Encoding: gzip, chunked\r\n", 501),
    "a long header": (b"A: " + b"a" * 9000 + b"\r\n", 431),
    "many headers": (b"A: b\r\n" * 70, 431),
    "a long head": (b"A: bbbbbbbbbb\r\n" * 9000, 431),
    "a long address": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "an endless address": (b"GET /" + b"a" * 90_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
}


@pytest.mark.parametrize(("piece", "status"), BAD.values(), ids=BAD)
def test_what_is_no_request_or_two_is_refused_in_json_api(worker, piece, status):
    request = piece if piece.endswith(b"\r\n\r\n") else GET[:-2] + piece + b"\r\n"

    with connected(worker, request) as connection:
        head, body = read(connection)
        (error,) = json.loads(body)["errors"]

        assert (int(head.split(" ")[1]), error["status"]) == (status, str(status))
        assert error["code"] == "bad-parameter"
        assert error["detail"] == DETAILS[status]
        assert header(head, "Content-Type") == "Content-Type: application/vnd.api+json"
        assert header(head, "X-Request-ID") == f"X-Request-ID: {error['id']}"
        assert is_closed(connection)


def test_old_clients_send_no_chunks(worker):
    head, _ = ask(worker, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    assert head.startswith("HTTP/1.0 400 ")


def test_a_client_that_goes_on_sending_reads_its_refusal(worker):
    with connected(worker, b"hello\r\n\r\n", *[b"a" * 65536] * 50) as connection:
        head, body = read(connection)

    assert head.startswith("HTTP/1.0 400 ")
    assert json.loads(body)["errors"]


def test_an_application_that_fails_is_an_internal_error(capfd):
    def failing(_environ, _start_response):
        raise RuntimeError("sk_test_secret")

    with served(failing) as worker:
        head, body = ask(worker, GET)

    assert head.startswith("HTTP/1.1 500 ")
    assert json.loads(body)["errors"][0]["code"] == "internal"
    assert b"sk_test" not in body


class TestStopping:
    def test_a_request_in_flight_is_answered_and_its_connection_closed(self):
        slow = Slow()
        with served(slow) as worker:
            with connected(worker, SLOW) as connection:
                assert slow.asked.acquire(timeout=LONG)
                worker.stop()
                with connected_until_refused(worker):
                    slow.may_answer.set()
                head, _ = read(connection)

                assert head.startswith("HTTP/1.1 200 ")
                assert header(head, "Connection") == "Connection: close"
                assert is_closed(connection)
            worker.wait()

    def test_clients_that_the_system_has_let_in_are_served(self, worker):
        blocked, may_go_on = threading.Event(), threading.Event()

        def block():
            blocked.set()
            may_go_on.wait(LONG)

        worker.notify = block
        with ExitStack() as stack:
            clients = [stack.enter_context(connected(worker, GET)) for _ in range(5)]
            blocked.wait(LONG)
            worker.stop()
            may_go_on.set()

            heads = [read(each)[0] for each in clients]

        assert all(head.startswith("HTTP/1.1 200 ") for head in heads)

    def test_a_request_that_has_begun_may_be_completed(self):
        with served(echo) as worker, connected(worker, HALF_A_BODY) as connection:
            assert ask(worker, GET)[0].startswith("HTTP/1.1 200 ")  # so the half has been read
            worker.stop()
            with connected_until_refused(worker):
                connection.sendall(b"}")

            assert read(connection)[0].startswith("HTTP/1.1 200 ")

    def test_connections_without_a_request_are_closed(self):
        with served(echo) as worker, connected(worker, GET) as connection:
            read(connection)
            worker.stop()

            assert is_closed(connection)


def connected_until_refused(worker):
    """Wait until *worker* accepts no more connections; return something to put behind a `with`."""
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        try:
            with connected(worker):
                pass
        except (ConnectionRefusedError, ConnectionResetError):
            return ExitStack()
    raise AssertionError("connections are still accepted")


class TestThreads:
    @pytest.fixture(name="refuse_threads")
    def _refuse_threads(self, monkeypatch):
        """The system has no thread left, until this is called again with False."""
        start = threading.Thread.start
        refused = []

        def refuse(thread):
            if thread.name == "request" and refused:
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", refuse)
        return lambda yes=True: refused.append(1) if yes else refused.clear()

    def test_without_further_threads_requests_wait_for_the_one_there_is(self, refuse_threads):
        slow = Slow()
        with served(slow) as worker, ExitStack() as stack:
            first = stack.enter_context(connected(worker, SLOW))
            assert slow.asked.acquire(timeout=LONG)
            refuse_threads()
            second = stack.enter_context(connected(worker, GET))
            slow.may_answer.set()

            assert read(first)[0].startswith("HTTP/1.1 200 ")
            assert read(second)[0].startswith("HTTP/1.1 200 ")

    def test_threads_are_started_again_when_the_system_has_some(self, refuse_threads):
        slow = Slow()
        with served(slow) as worker, ExitStack() as stack:
            ask(worker, GET)  # so the first thread is there
            refuse_threads()
            stack.enter_context(connected(worker, SLOW))
            assert slow.asked.acquire(timeout=LONG)
            waiting = stack.enter_context(connected(worker, GET))
            refuse_threads(False)

            assert ask(worker, GET)[0].startswith("HTTP/1.1 200 ")
            slow.may_answer.set()
            assert read(waiting)[0].startswith("HTTP/1.1 200 ")

    def test_a_process_without_any_thread_does_not_begin(self, refuse_threads):
        refuse_threads()

        with pytest.raises(RuntimeError):
            RequestThreads(4)
