"""Each request leaves one line, with the fields that `docs/operate.md` describes."""

import json
import re
import shutil
import uuid

import pytest
import requests

from config import ROOT
from tests.callers import JSON_API, document, link_document
from tests.live import Service
from tests.processes import run_manage

OPERATE = (ROOT / "docs/operate.md").read_text()
EMAIL, PASSWORD = "organizer@example.com", "correct horse battery"


class Logged:
    """A running service; every request comes back with its status and its line in the log."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.token = None
        answer, _ = self.ask("POST", "/auth/session", {"email": EMAIL, "password": PASSWORD})
        self.token = answer.json()["access_token"]

    def ask(self, method, path, body=None):
        request_id = uuid.uuid4().hex
        headers = {"X-Request-ID": request_id, "Content-Type": JSON_API}
        if self.token:
            headers["Authorization"] = f"JWT {self.token}"
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        answer = requests.request(
            method, self.service.url + path, data=data, headers=headers, timeout=10
        )
        lines = [json.loads(line) for line in self.service.stderr.splitlines() if line[:1] == "{"]
        (line,) = [
            each
            for each in lines
            if each.get("request_id") == request_id and each["event"] == "request"
        ]
        return answer, line


@pytest.fixture(scope="module", name="logged")
def _logged(sqlite_template, tmp_path_factory):
    path = tmp_path_factory.mktemp("logged") / "app.db"
    shutil.copy(sqlite_template, path)
    env = {"DATABASE_URL": f"sqlite:///{path}", "LOG_LEVEL": "info", "LOG_FORMAT": "json"}
    made = run_manage("users", "create", EMAIL, "--password-stdin", env=env, input=PASSWORD)
    assert made.returncode == 0, made.stderr
    with Service() as service:
        service.start(env, processes=1)
        yield Logged(service)


@pytest.fixture(scope="module", name="event")
def _event(logged):
    """The identifier of an event that the organizer owns."""
    wanted = document(
        "event",
        name="Summit",
        starts_at="2027-05-01T09:00:00Z",
        ends_at="2027-05-01T18:00:00Z",
        timezone="UTC",
    )
    answer, _ = logged.ask("POST", "/v1/events", wanted)
    return answer.json()["data"]["attributes"]["identifier"]


def test_a_read_is_told_by_its_route_and_its_event_and_not_by_its_query(logged, event):
    answer, line = logged.ask("GET", f"/v1/events/{event}?cache=ac_secret")

    assert line.pop("ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": answer.headers["X-Request-ID"],
        "method": "GET",
        "path": f"/v1/events/{event}",
        "route": "/v1/events/<event>",
        "status": 200,
        "user": 1,
        "event_id": event,
    }


def test_a_write_is_told_with_the_event_that_its_document_names(logged, event):
    _, line = logged.ask("POST", "/v1/stripe-authorizations", link_document(event, "ac_a_code"))

    assert (line["event_id"], line["status"]) == (event, 403)
    assert "ac_a_code" not in json.dumps(line)


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        '{"data": {"relationships": {"event": {"data": {"id": ["1"]}}}}}',
        '{"data": {"relationships": {"event": {"data": {"id": "sk_live_x"}}}}}',
        '{"data": {"relationships": {"event": {"data": {"id": "1\\nforged"}}}}}',
    ],
)
def test_what_cannot_be_an_event_is_not_told(logged, body):
    _, line = logged.ask("POST", "/v1/stripe-authorizations", body)

    assert line["event_id"] is None


def test_an_address_that_does_not_exist_has_no_route(logged):
    _, line = logged.ask("GET", "/v1/nothing")

    assert (line["route"], line["status"], line["user"]) == (None, 404, None)


def test_every_field_is_described_and_in_the_example(logged):
    _, line = logged.ask("GET", "/v1/users/me")

    (example,) = re.findall(r"^```json\n(.*?)^```$", OPERATE, re.DOTALL | re.MULTILINE)
    assert line.keys() == json.loads(example).keys()
    table = OPERATE.partition("## Logs")[2].partition("## Metrics")[0]
    rows = "".join(row.split("|")[1] for row in re.findall(r"^\| `.*$", table, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows)) == line.keys()
