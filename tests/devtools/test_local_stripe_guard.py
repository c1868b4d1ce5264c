"""The local Stripe takes commands only from programs that mean it, and from its own pages."""

import http.client

import pytest

from app.devtools.stripe_emulator import Emulator, Options


def status_of(platform, host, path="/_control/state"):
    """The answer's status to a request that calls the server *host* (None: nothing)."""
    connection = http.client.HTTPConnection(platform.url.removeprefix("http://"), timeout=10)
    try:
        connection.putrequest("GET", path, skip_host=True)
        if host is not None:
            connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST:12111", "[::1]:80", "127.0.0.1:1"])
def test_it_answers_to_its_own_names_whatever_the_port(platform, host):
    assert status_of(platform, host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:12111", "localhost.evil.example", "10.0.0.1", "[", ""]
)
@pytest.mark.parametrize("path", ["/_control/state", "/dashboard", "/v1/account"])
def test_it_refuses_other_names(platform, host, path):
    assert status_of(platform, host, path) == 403


def test_a_name_can_be_added_and_every_address_counts_where_it_listens_on_all():
    with Emulator(Options(host_names=("stripe.internal",)), host="0.0.0.0") as emulator:
        port = emulator.url.rsplit(":", 1)[1]
        asked = {
            host: status_at(port, host)
            for host in ("stripe.internal", "192.0.2.7", "evil.example", "127.0.0.1")
        }

    assert asked == {
        "stripe.internal": 200,
        "192.0.2.7": 200,
        "evil.example": 403,
        "127.0.0.1": 200,
    }


def status_at(port, host):
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    try:
        connection.request("GET", "/_control/state", headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


def command(platform, kind, **headers):
    given = {**headers, **({"Content-Type": kind} if kind else {})}
    return platform.post("/_control/faults", b'{"fault": "hang"}', headers=given)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_a_command_in_json_is_obeyed(platform, kind):
    assert command(platform, kind).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
def test_a_command_that_a_foreign_page_could_send_is_not_obeyed(platform, kind):
    response = command(platform, kind)

    assert response.status_code == 415
    assert platform.get("/_control/faults").json()["active"] == {}


def test_a_foreign_page_that_asks_first_is_never_let_in(platform):
    asking = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }

    response = platform.http.options(f"{platform.url}/_control/faults", headers=asking, timeout=10)

    assert not [name for name in response.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:5000"])
@pytest.mark.parametrize("path", ["/dashboard/restrict", "/oauth/authorize", "/_control/reset"])
def test_a_form_of_another_origin_is_refused(platform, origin, path):
    response = platform.post(path, {"account": platform.account.id}, headers={"Origin": origin})

    assert response.status_code == 403


def test_its_own_forms_are_taken(platform):
    form = {"account": platform.account.id}

    response = platform.post("/dashboard/restrict", form, headers={"Origin": platform.url})

    assert response.status_code == 303
