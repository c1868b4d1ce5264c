"""The edge: what holds for every request before a view sees it, and for every answer after."""

import io
import json
import sys
from urllib.parse import quote

import pytest
import structlog
from flask import request
from limits import RateLimitItemPerMinute
from sqlalchemy import text
from werkzeug.exceptions import default_exceptions

from app.auth.policy import PUBLIC
from app.errors import RateLimited
from app.extensions import db
from app.http.routing import LARGEST_BODY, Route, register
from app.security.logs import configure_logging
from tests.callers import JSON_API, assert_error, document, link_document
from tests.databases import on_sqlite
from tests.http.odd_requests import QUERIES, STRANGE_PATHS, raw

pytestmark = on_sqlite

LINKS = "/v1/stripe-authorizations"
TOO_MUCH = b" " * (2 * 1024 * 1024)


def assert_refusal(response, status, code):
    """One error in the one shape, whatever was sent."""
    assert response.mimetype == JSON_API, response.text
    assert_error(response, status, code)
    return response


# The order of checks on a write. Each request has every later fault as well.


def test_a_body_that_is_too_large_comes_before_everything(client):
    headers = {"Content-Type": "text/plain", "Accept": "text/html", "Authorization": "JWT x"}

    response = raw(client, "POST", LINKS, data=TOO_MUCH, headers=headers)

    assert_refusal(response, 413, "payload-too-large")


@pytest.mark.parametrize(
    "headers, status, code",
    [
        ({"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
        ({"Content-Type": JSON_API, "Accept": "text/html"}, 406, "not-acceptable"),
        ({"Content-Type": "text/plain", "Accept": "text/html"}, 415, "unsupported-media-type"),
    ],
)
def test_media_types_come_before_the_token(client, headers, status, code):
    given = {**headers, "Authorization": "JWT x"}

    response = raw(client, "POST", LINKS, data="{", headers=given)

    assert_refusal(response, status, code)


def test_the_token_comes_before_malformed_json(client):
    response = client.post(LINKS, "{")

    assert_refusal(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == "JWT"


def test_malformed_json_comes_before_the_document(organizer):
    assert_refusal(organizer.post(LINKS, '{"data": {"type": "event"'), 400, "malformed-json")


@pytest.mark.parametrize(
    "body, status, code",
    [({"data": {"type": "event"}}, 409, "wrong-type"), ({"data": None}, 422, "validation")],
)
def test_the_document_comes_before_the_event_is_looked_for(client, make, body, status, code):
    stranger = client.as_(make.user())

    assert_refusal(stranger.post(LINKS, body), status, code)
    assert_refusal(stranger.patch(f"{LINKS}/999", body), status, code)
    assert_refusal(stranger.patch("/v1/events/999", body), *_as_event(body, status, code))


def _as_event(body, status, code):
    return (422, "validation") if body["data"] else (status, code)


def test_the_event_is_looked_for_before_the_right(client, make):
    stranger = client.as_(make.user())

    assert_refusal(stranger.post(LINKS, link_document(999, "ac_1")), 404, "not-found")


def test_the_right_comes_before_what_is_already_so(client, make, event):
    make.link(event)
    stranger = client.as_(make.user())

    assert_refusal(stranger.post(LINKS, link_document(event, "ac_1")), 403, "forbidden")


def test_what_is_already_so_comes_last(organizer, make, event, platform):
    make.link(event)

    assert_refusal(organizer.post(LINKS, link_document(event, "ac_1")), 409, "already-linked")


# Bodies


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
@pytest.mark.parametrize("path", [LINKS, "/v1/events", "/auth/session", "/stripe/webhooks", "/no"])
def test_two_megabytes_are_refused_at_every_address(client, method, path):
    assert_refusal(raw(client, method, path, data=TOO_MUCH), 413, "payload-too-large")


def test_the_largest_body_is_read(organizer):
    body = b" " * (LARGEST_BODY - 1) + b"1"

    assert_refusal(organizer.post(LINKS, body), 422, "validation")


def test_a_body_without_a_length_is_bounded_too(client):
    """As gunicorn hands a chunked body on: a stream that says when it ends."""
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}

    response = raw(
        client,
        "POST",
        LINKS,
        input_stream=io.BytesIO(TOO_MUCH),
        environ_overrides=environ,
        headers={"Content-Type": JSON_API},
    )

    assert_refusal(response, 413, "payload-too-large")


MALFORMED = [
    "",
    " ",
    "{",
    "nul",
    "{'a': 1}",
    '{"a": 1,}',
    "[1] [2]",
    '{"a": NaN}',
    '{"a": Infinity}',
    "[" * 100_000,
    b"\xff\xfe",
    b"\x00",
    '{"a": "\x00"}',
    b'{"data": "\xc3"}',
    "1" * 5000,
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_json_is_malformed(organizer, body):
    response = organizer.post(LINKS, body, Content_Type=JSON_API)

    assert_refusal(response, 400, "malformed-json")


def test_json_in_other_unicode_encodings_is_read_or_malformed(organizer):
    for encoding in ("utf-16", "utf-32", "latin-1"):
        body = json.dumps({"data": "ä"}, ensure_ascii=False).encode(encoding)
        response = organizer.post(LINKS, body)
        assert response.status_code in (400, 422)


def test_lone_surrogates_are_no_text(organizer, event):
    body = f'{{"data":{{"type":"event","id":"{event.id}","attributes":{{"name":"\\ud800"}}}}}}'

    assert_error(
        organizer.patch(f"/v1/events/{event.id}", body),
        422,
        "validation",
        pointer="/data/attributes/name",
    )


def test_a_nul_in_a_value_never_reaches_the_database(organizer, event):
    body = document("event", event.id, name="a\x00b")

    assert_error(organizer.patch(f"/v1/events/{event.id}", body), 422, "validation")


# Accept and Content-Type


@pytest.mark.parametrize(
    "given, taken",
    [
        (None, True),
        ("", True),
        ("*/*", True),
        ("application/*", True),
        (JSON_API, True),
        (JSON_API.upper(), True),
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("text/html;level=1, */*;q=0.1", True),
        (f"text/html, {JSON_API};q=0.1", True),
        (f"{JSON_API}; ext=a, {JSON_API}", True),
        (f"{JSON_API}; charset=utf-8", False),
        (f"{JSON_API}; ext=a", False),
        (f"{JSON_API}; ext=a, {JSON_API}; profile=b", False),
        (f"{JSON_API};q=0", False),
        ("text/html", False),
        ("text/*", False),
        ("nonsense", False),
    ],
)
def test_accept_must_allow_json_api_without_parameters(client, given, taken):
    headers = {} if given is None else {"Accept": given}

    response = raw(client, "GET", "/v1/settings", headers=headers)

    assert response.mimetype == JSON_API
    if taken:
        assert response.status_code == 200
    else:
        assert_refusal(response, 406, "not-acceptable")


@pytest.mark.parametrize(
    "given, taken",
    [
        (JSON_API, True),
        (JSON_API.upper(), True),
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        (f"{JSON_API}; charset=utf-8", False),
        (f"{JSON_API}; ext=a", False),
        ("text/plain", False),
        ("text/html", False),
        ("application/x-www-form-urlencoded", False),
        ("multipart/form-data; boundary=a", False),
        ("application/xml", False),
        ("", False),
        (None, False),
        ("nonsense", False),
        ("\u00e4/\u00f6", False),
    ],
)
def test_a_body_is_json_api_or_json(organizer, given, taken):
    headers = {"Authorization": f"JWT {organizer.token}"}
    if given is not None:
        headers["Content-Type"] = given

    response = raw(organizer, "POST", LINKS, data=b'{"data":{}}', headers=headers)

    code = (422, "validation") if taken else (415, "unsupported-media-type")
    assert_refusal(response, *code)


def test_a_write_without_a_body_needs_no_content_type(organizer):
    assert_refusal(organizer.delete("/v1/events/999"), 404, "not-found")


# Request ids


@pytest.mark.parametrize("given", ["a", "A-1.b_2", "0" * 64])
def test_a_valid_request_id_is_kept(client, given):
    assert client.get("/v1/settings", X_Request_ID=given).headers["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "a" * 65,
        "a b",
        'x" status=200',
        "a;b",
        "{}",
        "\u00e4",
        "a/b",
        "<script>",
        "a\tb",
        "\x1b[31m",
        "a\u2028b".encode().decode("latin-1"),
    ],
)
def test_a_request_id_that_could_forge_a_line_is_replaced(client, given):
    response = client.get("/v1/users/1", X_Request_ID=given)

    kept = response.headers["X-Request-ID"]
    assert kept != given
    assert len(kept) == 32
    assert_error(response, 401, "unauthenticated")


def test_two_requests_never_share_an_id(client):
    ids = {client.get("/v1/settings").headers["X-Request-ID"] for _ in range(20)}

    assert len(ids) == 20


# Headers of every answer

ADDRESSES = ["/v1/settings", "/v1/events", "/v1/users/1", "/health/live", "/no", "/v1/no"]


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "TRACE"])
def test_every_answer_is_named_unsniffable_and_kept_by_nobody_unless_public(client, method, path):
    response = raw(client, method, path)

    headers = response.headers
    assert headers["X-Request-ID"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    is_public = response.status_code == 200 and method in ("GET", "HEAD") and "/v1/" in path
    assert headers["Cache-Control"] == ("public, no-cache" if is_public else "no-store")
    assert "Set-Cookie" not in headers
    assert "text/html" not in headers.get("Content-Type", "")


@pytest.fixture(name="public_paths")
def _public_paths(make, event):
    link = make.link(event)
    return [
        "/v1/settings",
        "/v1/settings/1",
        "/v1/events",
        f"/v1/events/{event.id}",
        f"/v1/events/{event.identifier}/stripe-authorization",
        f"/v1/events/{event.id}/relationships/stripe-authorization",
        f"/v1/stripe-authorizations/{link.id}",
        f"/v1/stripe-authorizations/{link.id}/event",
        f"/v1/stripe-authorizations/{link.id}/relationships/event",
    ]


def test_an_anonymous_read_of_what_is_public_may_be_asked_for_again(client, public_paths):
    for path in public_paths:
        response = client.get(path, Origin="http://localhost:4200")
        vary = [each.strip() for each in response.headers["Vary"].split(",")]
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "public, no-cache"
        assert sorted(vary) == ["Accept", "Authorization", "Origin"]

        again = client.get(path, If_None_Match=response.headers["ETag"])

        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == response.headers["ETag"]
        assert again.headers["Cache-Control"] == "public, no-cache"


def test_a_change_changes_the_etag(client, organizer, event):
    path = f"/v1/events/{event.id}"
    before = client.get(path).headers["ETag"]
    organizer.patch(path, document("event", event.id, name="Fair"))

    response = client.get(path, If_None_Match=before)

    assert response.status_code == 200
    assert response.headers["ETag"] != before


def test_what_a_signed_in_reader_sees_is_kept_nowhere(organizer, public_paths):
    for path in public_paths:
        response = organizer.get(path)
        assert response.headers["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers


def test_an_etag_never_gives_a_signed_in_reader_a_304(client, organizer, event):
    path = f"/v1/events/{event.id}"

    response = organizer.get(path, If_None_Match=client.get(path).headers["ETag"])

    assert response.status_code == 200


def test_head_is_get_without_a_body(client, organizer, public_paths):
    for path in [*public_paths, "/health/live"]:
        got, head = raw(client, "GET", path), raw(client, "HEAD", path)
        assert head.data == b""
        assert head.status_code == got.status_code
        for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control"):
            assert head.headers.get(name) == got.headers.get(name)


def test_options_tells_the_methods_and_needs_no_token(client):
    response = raw(client, "OPTIONS", LINKS)

    assert response.status_code == 200
    assert {"GET", "HEAD", "OPTIONS", "POST"} == set(response.headers["Allow"].split(", "))


# Addresses and methods that are not there


@pytest.mark.parametrize("path", STRANGE_PATHS, ids=range(len(STRANGE_PATHS)))
def test_an_address_that_is_not_there_is_not_found_in_the_one_shape(client, path):
    accepted = "text/html,*/*;q=0.8" if path.startswith("/v1/") else "*/*"
    response = raw(client, "GET", path, headers={"Accept": accepted})

    assert_refusal(response, 404, "not-found")
    assert "script" not in response.text


@pytest.mark.parametrize("method", ["PUT", "TRACE", "CONNECT", "PROPFIND", "X"])
@pytest.mark.parametrize("path", [LINKS, "/v1/events/1", "/health/live", "/auth/session"])
def test_a_method_that_is_not_there_is_refused_and_the_others_told(client, method, path):
    response = raw(client, method, path)

    assert_refusal(response, 405, "method-not-allowed")
    assert "OPTIONS" in response.headers["Allow"]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_a_query_that_cannot_be_read_is_a_bad_parameter(client, event, query):
    response = raw(client, "GET", f"/v1/events?{quote(query, safe='=&%[]')}")

    if response.status_code == 200:  # read as a value that nothing has
        assert response.json["data"] == []
    else:
        assert_refusal(response, 400, "bad-parameter")
        assert response.json["errors"][0]["source"]["parameter"]


@pytest.mark.parametrize("query", ["%ff=%00", "a=" + "x" * 7000, "=&&=", "public=true&%00", "?"])
def test_other_parameters_are_ignored_however_odd(client, query):
    assert raw(client, "GET", f"/v1/events?{query}").status_code == 200


def test_links_of_a_collection_repeat_nothing_odd(client, event):
    response = client.get("/v1/events?page[size]=1&x=<script>&public=true")

    assert "<script" not in response.text
    assert response.json["links"]["first"] == "/v1/events?page%5Bsize%5D=1&page%5Bnumber%5D=1"


# Hosts and proxies


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "evil.localhost",
        "localhost@evil",
        "a b",
    ],
)
@pytest.mark.parametrize("path", ["/v1/settings", "/no"])
def test_another_host_is_a_bad_request_in_the_one_shape(client, host, path):
    response = raw(client, "GET", path, headers={"Host": host})

    assert_refusal(response, 400, "bad-parameter")
    assert "evil" not in response.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:5000", "[::1]:5000", "LOCALHOST"])
def test_our_own_hosts_are_answered(client, host):
    assert raw(client, "GET", "/v1/settings", headers={"Host": host}).status_code == 200


FORWARDED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "8443",
    "Forwarded": "for=203.0.113.9;host=evil.example",
    "X-Real-IP": "203.0.113.9",
}


def _echo(app):
    """A view that says whom we think we are talking to."""

    def echo():
        return {"a": request.remote_addr, "u": request.url_root}

    register(app, [Route(("/v1/echo",), echo, {"GET": PUBLIC})])


@pytest.fixture(name="echo")
def _echoing(app):
    _echo(app)


def test_without_trusted_proxies_what_they_say_is_not_believed(client, echo, organizer):
    answer = raw(client, "GET", "/v1/echo", headers=FORWARDED).json

    assert answer == {"a": "127.0.0.1", "u": "http://localhost/"}


class TestBehindAProxy:
    """One trusted proxy: the last entry of each header is its word, the rest anybody's."""

    @pytest.fixture(name="environ")
    def _environ(self):
        return {"TRUSTED_PROXIES": "1", "PUBLIC_URL": "https://pay.example.org"}

    def test_its_word_counts_and_no_earlier_one(self, client, echo):
        headers = {
            "X-Forwarded-For": "6.6.6.6, 203.0.113.9",
            "X-Forwarded-Host": "pay.example.org",
            "X-Forwarded-Proto": "https",
        }

        answer = raw(client, "GET", "/v1/echo", headers=headers).json

        assert answer == {"a": "203.0.113.9", "u": "https://pay.example.org/"}

    def test_a_host_it_should_not_have_passed_on_is_refused(self, client, echo):
        response = raw(client, "GET", "/v1/echo", headers={"X-Forwarded-Host": "evil.example"})

        assert_refusal(response, 400, "bad-parameter")

    def test_location_has_the_public_address(self, link):
        headers = {"X_Forwarded_Host": "pay.example.org", "X_Forwarded_Proto": "https"}

        response = link_with(link, headers)

        assert response.headers["Location"].startswith("https://pay.example.org/v1/stripe-auth")


def link_with(link, headers):
    """Link through `post` with more headers."""

    class By:
        def __init__(self, client):
            self.client = client

        def post(self, path, body):
            return self.client.post(path, body, **headers)

    organizer = next(
        cell.cell_contents for cell in link.__closure__ if hasattr(cell.cell_contents, "token")
    )
    return link(by=By(organizer))


# Cross-origin requests

FRONTEND = "https://tickets.example.org"


class TestCors:
    """The frontend's origin may read answers and send tokens; nobody else's page may."""

    @pytest.fixture(name="environ")
    def _environ(self):
        return {"CORS_ORIGINS": FRONTEND}

    def _preflight(self, client, origin=FRONTEND, method="PATCH", headers="authorization"):
        given = {
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": headers,
        }
        return raw(client, "OPTIONS", "/v1/events/1", headers=given)

    def test_the_frontends_preflight_is_answered(self, client):
        sent = (
            "accept, authorization, baggage, cache-control, content-type, if-none-match,"
            " sentry-trace, traceparent, x-csrf-token, x-request-id, x-requested-with"
        )

        response = self._preflight(client, headers=sent)

        headers = response.headers
        assert response.status_code == 200
        assert headers["Access-Control-Allow-Origin"] == FRONTEND
        assert {"GET", "POST", "PATCH", "DELETE"} <= set(
            headers["Access-Control-Allow-Methods"].split(", ")
        )
        assert headers["Access-Control-Allow-Headers"].lower() == sent
        assert "Access-Control-Allow-Credentials" not in headers

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "null",
            FRONTEND + ".evil.example",
            FRONTEND + "\u00e4",
            FRONTEND.replace("https", "http"),
            FRONTEND + ":8443",
            FRONTEND.replace(".", "x"),
            "https://evil.example/" + FRONTEND,
            FRONTEND + "/",
            FRONTEND.upper().replace("HTTPS", "https"),
        ],
    )
    def test_a_foreign_origin_is_allowed_nothing(self, client, origin):
        answers = [
            self._preflight(client, origin=origin),
            client.get("/v1/settings", Origin=origin),
            client.get("/v1/no", Origin=origin),
        ]
        allowed = [name for each in answers for name, _ in each.headers if "-Allow-Origin" in name]

        assert allowed == [] or origin.lower() == FRONTEND

    def test_answers_and_errors_can_be_read_by_the_frontend(self, client):
        for path in ("/v1/settings", "/v1/users/1", "/v1/no"):
            headers = client.get(path, Origin=FRONTEND).headers
            assert headers["Access-Control-Allow-Origin"] == FRONTEND
            exposed = headers["Access-Control-Expose-Headers"].split(", ")
            assert set(exposed) == {"ETag", "Location", "Retry-After", "X-Request-ID"}
            assert "Origin" in headers["Vary"]
            assert "Access-Control-Allow-Credentials" not in headers

    def test_what_depends_on_the_origin_says_so_to_others_as_well(self, client):
        vary = client.get("/v1/settings").headers["Vary"]

        assert "Origin" in vary


def test_without_a_list_nobody_is_allowed(client):
    response = client.get("/v1/settings", Origin="http://localhost:4200")

    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


# Failures of our own


@pytest.fixture(name="failing")
def _failing(app):
    def fail():
        code = "ac_CANARYcanary00000000000000000000"
        raise RuntimeError(f"sk_live_CANARY0000000000000000 and {code}")

    register(app, [Route(("/v1/failing",), fail, {"GET": PUBLIC})])


@pytest.fixture(name="log")
def _log(request, monkeypatch, app):
    """What the service writes from here on; its format may be given as a parameter."""
    written = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", written)
        configure_logging("info", getattr(request, "param", "json"))
        for module in ("app.http.access_log", "app.http.error_handlers"):
            patch.setattr(f"{module}.log", structlog.get_logger())
        yield written
    configure_logging("warning", "console")


def test_a_failure_tells_nothing_outside_and_everything_but_secrets_in_the_log(
    client, failing, log
):
    response = raw(client, "GET", "/v1/failing", headers={"X-Request-ID": "trace-me"})

    assert_refusal(response, 500, "internal")
    for word in ("CANARY", "Traceback", "RuntimeError", "test_edge", ".py"):
        assert word not in response.text
    assert response.headers["Cache-Control"] == "no-store"
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (failure,) = [line for line in lines if line["event"] == "internal error"]
    assert failure["request_id"] == "trace-me"
    assert "RuntimeError" in failure["exception"]
    assert "CANARY" not in json.dumps(lines)


def test_what_the_database_says_is_told_to_nobody(client):
    with db.engine.begin() as connection:
        connection.execute(text("DROP TABLE settings"))

    response = client.get("/v1/settings")

    error = assert_error(response, 503, "unavailable")
    assert not [word for word in ("settings", "SELECT", "sqlite") if word in error["detail"]]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/no"), ("PUT", "/v1/settings")])
def test_what_the_library_refuses_is_told_in_words_of_ours(client, method, path):
    (error,) = client.send(method, path).json["errors"]

    assert error["detail"] not in [each.description for each in default_exceptions.values()]


def test_too_many_requests_are_told_when_to_come_back(app, client):
    def refuse():
        raise RateLimited("Too many.", headers={"Retry-After": "7"})

    register(app, [Route(("/v1/many",), refuse, {"GET": PUBLIC})])

    response = raw(client, "GET", "/v1/many")

    assert_refusal(response, 429, "rate-limited")
    assert response.headers["Retry-After"] == "7"


def test_a_line_of_the_log_holds_the_path_without_its_query(client, log):
    raw(client, "GET", "/v1/settings?code=ac_in_the_query&x=\n{}")

    (line,) = [json.loads(each) for each in log.getvalue().splitlines()]
    assert line["path"] == "/v1/settings"
    assert "ac_in" not in json.dumps(line)


@pytest.mark.parametrize("log", ["console", "json"], indirect=True)
def test_a_path_cannot_forge_a_line_of_the_log(client, log):
    raw(client, "GET", "/v1/x%0A2027-01-01T00:00:00Z%20[info]%20request%20user=1%1b[31m")

    written = log.getvalue()
    assert len(written.splitlines()) == 1
    assert "\x1b[31m" not in written


GUESS = {"email": "nobody@example.com", "password": "x"}


def _guesses_refused(client, count, forwarded_for):
    """How many of *count* wrong passwords, each for another account, were one too many."""
    answers = [
        raw(
            client,
            "POST",
            "/auth/session",
            json={**GUESS, "email": f"{number}@example.com"},
            headers={"X-Forwarded-For": forwarded_for(number)},
        )
        for number in range(count)
    ]
    return sum(answer.status_code == 429 for answer in answers)


@pytest.fixture(name="sixth_is_too_many")
def _sixth_is_too_many(monkeypatch):
    monkeypatch.setattr("app.auth.rate_limits.PER_ADDRESS", RateLimitItemPerMinute(5))


def test_an_address_that_nobody_vouches_for_does_not_evade_the_limits(client, sixth_is_too_many):
    assert _guesses_refused(client, 7, lambda number: f"203.0.113.{number}") == 2


class TestLimitsBehindAProxy:
    """What the trusted proxy appended is counted, whatever the caller had written before it."""

    @pytest.fixture(name="environ")
    def _environ(self):
        return {"TRUSTED_PROXIES": "1"}

    def test_callers_are_told_apart(self, client, sixth_is_too_many):
        assert _guesses_refused(client, 7, lambda number: f"203.0.113.{number}") == 0

    def test_a_caller_cannot_take_another_address(self, client, sixth_is_too_many):
        assert _guesses_refused(client, 7, lambda number: f"198.51.100.{number}, 203.0.113.9") == 2
