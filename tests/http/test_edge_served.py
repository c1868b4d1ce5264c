"""The edge under gunicorn: what only a real socket can show."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.live import Service, migrate

CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
START = "POST /v1/stripe-authorizations HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module", name="service")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    url = f"sqlite:///{tmp_path_factory.mktemp('edge') / 'app.db'}"
    migrate(url)
    with Service() as service:
        service.start({"DATABASE_URL": url}, processes=1)
        yield service


def ask(service: Service, *pieces: str | bytes) -> str:
    """Send *pieces* as they are and return all of the answer."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece.encode() if isinstance(piece, str) else piece)
        answer = b""
        while got := connection.recv(65536):
            answer += got
            if b"\r\n\r\n" in answer and answer.rstrip().endswith(b"}"):
                break
    return answer.decode()


def assert_told_in_json_api(answer: str, *statuses: int) -> None:
    head, _, body = answer.partition("\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    (error,) = json.loads(body)["errors"]

    assert int(answer.split(" ")[1]) in statuses
    assert error["status"] == answer.split(" ")[1]
    assert error["id"] == headers["X-Request-ID"]
    assert error["code"] == "bad-parameter"
    assert headers["Content-Type"] == "application/vnd.api+json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert int(headers["Content-Length"]) == len(body)


def test_an_answer_with_an_etag_has_one_date(service):
    answer = ask(service, "GET /v1/settings HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    head = answer.partition("\r\n\r\n")[0].lower()
    assert (head.count("\r\netag: "), head.count("\r\ndate: ")) == (1, 1)


@pytest.mark.parametrize("pieces", ["zz\r\n", "5\r\nabcdefg\r\n0\r\n\r\n", "-1\r\n\r\n"])
@pytest.mark.parametrize("path", ["/v1/events", "/v1/stripe-authorizations"])
def test_chunks_that_are_none_are_a_bad_request(service, path, pieces):
    start = START.replace("/v1/stripe-authorizations", path)

    answer = ask(service, start + "Transfer-Encoding: chunked\r\n\r\n", pieces)

    assert_told_in_json_api(answer, 400)
    assert "Traceback" not in service.stderr


def test_a_chunked_body_that_is_too_large_is_refused_and_the_refusal_arrives(service):
    answer = ask(service, START + "Transfer-Encoding: chunked\r\n\r\n", *[CHUNK] * 32, "0\r\n\r\n")

    assert answer.startswith("HTTP/1.1 413 ")
    assert "payload-too-large" in answer


def test_two_megabytes_are_refused_and_the_refusal_arrives(service):
    length = 2 * 1024 * 1024

    answer = ask(service, START + f"Content-Length: {length}\r\n\r\n", b" " * length)

    assert answer.startswith("HTTP/1.1 413 ")


def test_a_webhook_that_is_too_large_is_refused_chunked_or_not(service):
    start = START.replace("/v1/stripe-authorizations", "/stripe/webhooks")
    length = 256 * 1024 + 1

    chunked = ask(service, start + "Transfer-Encoding: chunked\r\n\r\n", *[CHUNK] * 5, "0\r\n\r\n")
    whole = ask(service, start + f"Content-Length: {length}\r\n\r\n", b" " * length)

    assert chunked.startswith("HTTP/1.1 413 ")
    assert whole.startswith("HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "headers",
    [
        "X-Long: " + "a" * 9000 + "\r\n",
        "".join(f"X-{n}: a\r\n" for n in range(80)),
        "No colon\r\n",
        "X-Fold: a\r\n b\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
    ],
    ids=["long", "many", "colon", "folded", "two-lengths", "length-and-chunked", "gzip"],
)
def test_headers_without_bounds_or_with_two_meanings_are_refused(service, headers):
    answer = ask(service, f"GET /v1/settings HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n")

    assert_told_in_json_api(answer, 400, 413, 431, 501)


def test_an_address_without_end_is_refused(service):
    answer = ask(service, f"GET /v1/{'a' * 9000} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    assert_told_in_json_api(answer, 400, 414)


def test_health_can_be_asked_without_a_host(service):
    assert ask(service, "GET /health/live HTTP/1.0\r\n\r\n").startswith("HTTP/1.0 200 ")


def test_health_is_told_under_any_name(service):
    answer = ask(service, "GET /health/live HTTP/1.1\r\nHost: 10.0.0.7:5000\r\n\r\n")

    assert answer.startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:80:80", ""])
def test_another_host_is_refused(service, host):
    answer = ask(service, f"GET /v1/settings HTTP/1.1\r\nHost: {host}\r\n\r\n")

    assert answer.startswith("HTTP/1.1 400 ")
