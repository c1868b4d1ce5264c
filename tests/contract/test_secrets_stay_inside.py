"""
No secret leaves: no answer, no log line, no `repr`, no argument of a process, no byte of the
database holds a key, a token, a code or a password in clear.

The first test tells a whole story to the real service, at debug level, and then looks everywhere. A
new secret that is part of the story belongs into `Story.secrets`.
"""

import dataclasses
import importlib
import json
import pkgutil
import re
from pathlib import Path

import click
import psutil
import requests
from cryptography.fernet import Fernet
from sqlalchemy import inspect, text

import app as service_package
from app.commands import COMMANDS
from app.db.transactions import transaction
from app.extensions import Base, db
from app.models import Setting, StripeAuthorization
from app.security.crypto import Cipher, EncryptedText
from tests import processes
from tests.callers import JSON_API, link_document
from tests.conftest import make_app

PASSWORD = "CANARY-password-of-the-admin"
SECRET_SETTINGS = ("secret-key", "test-secret-key", "webhook-secret", "test-webhook-secret")
FAULTS = [
    *("500-before", "500-after", "429", "html", "empty", "truncated", "cut-json"),
    *("no-description", "error-object", "unknown-error", "wrong-types", "wrong-livemode"),
    *("wrong-scope", "no-account", "wrong-mode-publishable-key", "close-after-request"),
    *("close-after-commit", "flood", "redirect", "hang"),
]
TELLING_NAME = re.compile(r"secret|token|code|password|state|signature|body|cause|(^|_)keys?$")
# Fields of these names that hold nothing secret.
HARMLESS = {
    "publishable_key",
    "stripe_publishable_key",
    "stripe_test_publishable_key",
    "code_digest",
    "has_own_key",
    "error_code",
    "idempotency_key",
    "largest_body",
    "service_token_id",
    "state_checked",
    "state_required",
    ("Counter", "key"),
    ("EventFacts", "state"),
    ("EventView", "state"),
    ("FoundEvent", "state"),
    ("PlatformCheck", "cause"),
}


class Story:
    """The service as an admin uses it; knows every secret of it, and all that was answered."""

    def __init__(self, url, stripe):
        self.url, self.stripe = url, stripe
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers = {"Accept": JSON_API, "Content-Type": JSON_API}
        self.answers = []
        self.secrets = {PASSWORD, *processes.SECRETS.values()}
        self.secrets |= {stripe.settings[f"stripe-{name}"] for name in SECRET_SETTINGS}

    def send(self, method, path, body=None, *, is_quiet=True, **headers):
        """Send a request; its answer must be quiet unless it is meant to tell a secret."""
        data = body if isinstance(body, str | None) else json.dumps(body)
        answer = self.http.request(
            method, self.url + path, data=data, headers=headers, timeout=30, allow_redirects=False
        )
        if is_quiet:
            self.answers.append(
                (method, path, answer.status_code, str(answer.headers), answer.text)
            )
        return answer

    def sign_in(self):
        body = {"username": "admin@example.com", "password": PASSWORD}
        token = self.send("POST", "/v1/auth/login", body, is_quiet=False).json()["access_token"]
        body = {"password": PASSWORD}
        headers = {"Authorization": f"JWT {token}"}
        fresh = self.send("POST", "/v1/auth/fresh-login", body, is_quiet=False, **headers)
        self.secrets |= {token, fresh.json()["access_token"]}
        self.http.headers["Authorization"] = f"JWT {fresh.json()['access_token']}"

    def code(self, **grant):
        code = self.stripe.control("codes", {"livemode": False, **grant})["code"]
        self.secrets.add(code)
        return code

    def new_event(self):
        attributes = {
            "name": "Summit",
            "starts-at": "2027-05-01T09:00:00Z",
            "ends-at": "2027-05-01T17:00:00Z",
            "timezone": "Europe/Berlin",
            "state": "published",
            "can-pay-by-stripe": True,
        }
        body = {"data": {"type": "event", "attributes": attributes}}
        return self.send("POST", "/v1/events", body).json()["data"]["id"]

    def link(self, event, code, **attributes):
        body = link_document(event, code, **attributes)
        return self.send("POST", "/v1/stripe-authorizations", body)


def tell(story, remember_tokens):
    """Set keys, link, relink, meet every failure of Stripe's, and carry secrets about."""
    story.sign_in()
    settings = {"data": {"type": "setting", "id": "1", "attributes": story.stripe.settings}}
    assert story.send("PATCH", "/v1/settings", settings).status_code == 200
    reveal = "/v1/settings?reveal=stripe-secret-key"
    assert story.send("GET", reveal, is_quiet=False).status_code == 200
    event = story.new_event()
    trip = {
        "data": {
            "type": "stripe-authorization-request",
            "relationships": {"event": {"data": {"type": "event", "id": event}}},
        }
    }
    asked = story.send("POST", "/v1/stripe-authorization-requests", trip, is_quiet=False).json()
    state = asked["data"]["attributes"]["state"]
    story.secrets.add(state)
    linked = story.link(event, story.code(), state=state)
    assert linked.status_code == 201, linked.text
    remember_tokens()
    again = link_document(event, story.code())
    again["data"]["id"] = linked.json()["data"]["id"]
    path = f"/v1/stripe-authorizations/{again['data']['id']}"
    assert story.send("PATCH", path, again).status_code == 200
    remember_tokens()
    for fault in FAULTS:
        story.stripe.control("faults", {"fault": fault})
        assert story.link(story.new_event(), story.code()).status_code >= 400, fault
    story.stripe.control("faults", {"fault": None})
    story.link(story.new_event(), "ac_CANARYneverissued")
    story.secrets.add("ac_CANARYneverissued")
    fail_in_every_way(story, event)
    for path in (
        "/v1/settings",
        "/v1/stripe-authorizations?include=event",
        f"/v1/events/{event}?include=stripe-authorization,owner",
        f"/v1/events/{event}/stripe-link-attempts",
        "/v1/audit-entries?page[size]=100",
    ):
        assert story.send("GET", path).status_code == 200, path
    assert story.send("DELETE", f"/v1/events/{event}/stripe-authorization").status_code == 200


def fail_in_every_way(story, event):
    """Put secrets where they do not belong: addresses, queries, headers, broken bodies."""
    secret = story.stripe.settings["stripe-secret-key"]
    story.secrets |= {"sk_live_CANARY1misplaced", "ac_CANARY1misplaced"}
    story.send("GET", "/v1/settings/sk_live_CANARY1misplaced")
    story.send(
        "GET", "/v1/settings?code=ac_CANARY1misplaced&fields[setting]=sk_live_CANARY1misplaced"
    )
    story.send("GET", f"/v1/events?filter[name]={secret}&sort={secret}")
    story.send("GET", f"/connect/callback?code=ac_CANARY1misplaced&state={secret}")
    story.send("GET", "/v1/settings", Authorization=f"Bearer {secret}")
    story.send("GET", "/v1/settings", Accept=f"{JSON_API};{secret}")
    story.send("POST", "/v1/stripe-authorizations", '{"data": "' + secret)
    story.send("POST", "/v1/stripe-authorizations", link_document(f"{event}", ""))
    story.send("POST", "/v1/stripe-authorizations", link_document(secret, story.code()))
    story.link(event, "ac_CANARY1misplaced\x00")
    story.link(event, story.code(), state=secret)
    wrong = {"stripe-test-secret-key": secret, "stripe-mode": secret, "stripe-client-id": [secret]}
    document = {"data": {"type": "setting", "id": "1", "attributes": wrong}}
    assert story.send("PATCH", "/v1/settings", document).status_code == 422
    document["data"]["type"] = secret
    assert story.send("PATCH", "/v1/settings", document).status_code == 409
    story.send("POST", "/v1/auth/login", {"username": secret, "password": PASSWORD + "!"})
    story.send(
        "POST", "/stripe/webhooks", json.dumps({"x": secret}), **{"Stripe-Signature": secret}
    )


def test_a_whole_story_leaves_no_secret_anywhere(database_url, local_stripe, start_service):
    log_format = "console" if database_url.startswith("sqlite") else "json"
    environ = {"DATABASE_URL": database_url, "LOG_LEVEL": "debug", "LOG_FORMAT": log_format}
    created = processes.run_manage(
        *("users", "create", "admin@example.com", "--admin", "--password-stdin"),
        env=environ,
        input=f"{PASSWORD}\n",
    )
    assert created.returncode == 0, created.stderr
    service = start_service(
        {**environ, **local_stripe.environment, "STRIPE_TIMEOUT": "1"}, processes=1
    )
    story = Story(service.url, local_stripe)
    reader = make_app(database_url, **processes.SECRETS)
    with reader.app_context():
        tell(story, lambda: story.secrets.update(stored_tokens()))
        arguments = [psutil.Process(pid).cmdline() for pid in service.group]
        raw = raw_content(database_url)
        lose_key_of_client_id()
        broken = story.send("GET", "/v1/settings", Authorization=None)
        rotated = processes.run_manage("secrets", "rotate", env=environ)
        service.stop()
        raw += raw_content(database_url)
        db.session.remove()
        db.engine.dispose()

    written = service.stdout + service.stderr
    assert len(story.secrets) > 30 and len(story.answers) > 40
    for secret in story.secrets:
        assert secret.encode() not in raw, f"the database holds {secret}"
        assert secret not in written, f"the log holds {secret}"
        assert secret not in f"{arguments}", f"an argument holds {secret}"
        assert secret not in rotated.stdout + rotated.stderr + created.stdout + created.stderr
        for answer in story.answers:
            assert secret not in f"{answer[3:]}", f"{answer[:3]} tells {secret}"
    assert b"CANARY" not in raw
    assert "/v1/settings" in written  # so that an empty log does not pass for a discreet one
    assert broken.status_code == 500 and broken.json()["errors"][0]["code"] == "internal"
    assert "settings.sealed_stripe_client_id" in written and "ENCRYPTION_KEYS" in written
    assert rotated.returncode == 1
    assert "unreadable: settings id 1, stripe_client_id" in rotated.stderr


def stored_tokens():
    """Return the tokens that Stripe has given out, opened with the service's key."""
    db.session.rollback()
    link = db.session.query(StripeAuthorization).populate_existing().one()
    tokens = {link.stripe_secret_key, link.stripe_refresh_token}
    digest_key = db.session.query(Setting).populate_existing().one().code_digest_key
    db.session.rollback()
    assert all(tokens)
    return {*tokens, digest_key}


def lose_key_of_client_id():
    """Seal a public value with a key that nobody has."""
    lost = Cipher([Fernet.generate_key().decode()])
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        context = setting.secret_context("sealed_stripe_client_id")
        setting.sealed_stripe_client_id = lost.seal("ca_CANARY", context)


def raw_content(database_url):
    """Return every byte that SQLite keeps, or every value in PostgreSQL's tables."""
    if database_url.startswith("sqlite"):
        path = Path(database_url.removeprefix("sqlite:///"))
        files = [each for each in path.parent.iterdir() if each.name.startswith(path.name)]
        return b"".join(each.read_bytes() for each in files)
    with db.engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        rows = [
            row[0]
            for table in tables
            for row in connection.execute(text(f'SELECT t::text FROM "{table}" AS t'))
        ]
    assert rows
    return "\n".join(rows).encode()


# What cannot be seen in a story


def modules():
    for found in pkgutil.walk_packages(service_package.__path__, "app."):
        if not found.name.startswith("app.devtools"):
            yield importlib.import_module(found.name)


def test_no_dataclass_shows_a_secret_in_its_repr():
    shown = []
    for module in modules():
        for each in vars(module).values():
            if not (isinstance(each, type) and dataclasses.is_dataclass(each)):
                continue
            if each.__module__ != module.__name__ or _has_own_repr(each, module):
                continue
            shown += [
                (each.__name__, field.name)
                for field in dataclasses.fields(each)
                if field.repr
                and TELLING_NAME.search(field.name)
                and not HARMLESS & {field.name, (each.__name__, field.name)}
            ]

    assert shown == []


def _has_own_repr(dataclass, module):
    written_in = getattr(dataclass.__repr__, "__code__", None)
    return written_in is not None and written_in.co_filename == module.__file__


def test_no_model_shows_more_than_its_id_in_its_repr(app):
    for mapper in Base.registry.mappers:
        row = mapper.class_()
        for attribute in mapper.column_attrs:
            column = attribute.columns[0]
            if column.primary_key:
                continue
            if isinstance(column.type, EncryptedText) or column.type.python_type is str:
                row.__dict__[attribute.key] = "CANARY"

        shown = f"{row!r} {row!s}".replace("<Setting CANARY>", "").replace(" CANARY>", ">")

        assert "CANARY" not in shown, shown


def test_no_command_takes_a_secret_as_an_argument():
    """Arguments are seen by every user of the machine, and kept by shells."""
    telling = re.compile(r"secret|token|password|key|code", re.IGNORECASE)
    for group in COMMANDS:
        for command in group.commands.values() if isinstance(group, click.Group) else [group]:
            for parameter in command.params:
                takes_value = not (isinstance(parameter, click.Option) and parameter.is_flag)

                assert not (takes_value and telling.search(parameter.name)), command.name
