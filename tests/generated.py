"""
Requests that nobody would write by hand: the route table × methods × bodies, queries and headers.

A `World` has an event, a link and people for one role, and beside them what belongs to somebody
else. `World.ask` sends a request and checks what must hold for every answer.
"""

import json
import secrets
from typing import Any

from flask import Flask
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.auth.policy import ADMIN, ANYONE, COORGANIZER, ORGANIZER, OWNER, USER, Role
from app.extensions import db
from app.models import Setting
from app.routes import ROUTES
from tests.callers import JSON_API, Client
from tests.factories import Factory
from tests.stripe_world import StripeWorld

ROLES = [ANYONE, USER, COORGANIZER, ORGANIZER, OWNER, ADMIN]
STATUSES = {200, 201, 304, 400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 429, 502, 503, 504}
CODES = {
    "unauthenticated",
    "forbidden",
    "not-found",
    "method-not-allowed",
    "not-acceptable",
    "unsupported-media-type",
    "malformed-json",
    "bad-parameter",
    "id-mismatch",
    "wrong-type",
    "validation",
    "payload-too-large",
    "rate-limited",
    "already-linked",
    "link-in-progress",
    "conflict",
    "stripe-disabled",
    "stripe-not-configured",
    "state-invalid",
    "code-already-used",
    "stripe-refused",
    "stripe-mode-mismatch",
    "stripe-rejected-platform",
    "stripe-unreadable",
    "stripe-unreachable",
    "stripe-busy",
    "stripe-timeout",
    "not-saved",
    "unavailable",
}
API = [  # pages answer in HTML, those of the documentation too
    route for route in ROUTES if not route.page and not route.addresses[0].startswith("/docs")
]
RULES = sorted(address for route in API for address in route.addresses)
METHODS_AND_RULES = sorted(
    (method, address) for route in API for address in route.addresses for method in route.rights
)
METHODS = ["GET", "POST", "PATCH", "DELETE"]
RENEWED_AFTER = 100  # requests: what was deleted meanwhile is there again

odd = st.sampled_from(
    ["", "0", "-1", "01", "1e3", "9" * 12, "9" * 40, "%00", "%ff", "..%2f", "null", "me", "\u0661",
     "a" * 300, "'--", "%F0%9F%92%A9", "1%0a", "{event}", "<b>", "None"]
)  # fmt: skip
# "own", "hidden" and the like are names of things in a World.
known = st.sampled_from(["own", "own", "own", "identifier", "hidden", "shown", "deleted"])
reference = st.one_of(known, known, known, odd)
scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [0, -1, 10**30, 1.5, "", "x", "\x00", "\ud800", "a" * 300, [], {}, [1], {"a": 1}]
    ),
    st.text(max_size=8),
)
ATTRIBUTES = [
    "name", "starts-at", "ends-at", "timezone", "state", "payment-country", "payment-currency",
    "can-pay-by-stripe", "is-stripe-linked", "identifier", "deleted-at", "description",
    "owner-name", "stripe-auth-code", "stripe-publishable-key", "stripe-user-id", "livemode",
    "redirect-uri", "role", "email", "stripe-mode", "stripe-secret-key", "stripe-client-id",
    "stripe-webhook-secret", "amount", "currency", "idempotency-key", "metadata",
    "application-fee-amount", "status", "id", "event", "password", "is-admin", "stripe_secret_key",
]  # fmt: skip
GOOD = {
    "name": "Fair", "starts-at": "2027-01-01T10:00:00Z", "ends-at": "2027-01-01T12:00:00Z",
    "timezone": "UTC", "state": "published", "can-pay-by-stripe": True, "role": "coorganizer",
    "email": "nobody@example.com", "stripe-mode": "debug", "payment-currency": "EUR",
}  # fmt: skip
TYPES = ["event", "stripe-authorization", "stripe-authorization-request", "setting", "user",
         "users-events-role", "stripe-link-attempt", "audit-entry", "stripe-account",
         "stripe-check", "payment-intent"]  # fmt: skip
RELATIONS = ["event", "user", "stripe-authorization", "owner", "organizers", "roles"]
attributes = st.one_of(
    st.just("good"),
    st.just("good"),
    st.dictionaries(st.sampled_from(ATTRIBUTES), scalar, max_size=5),
    scalar,
)
linkage = st.one_of(
    st.tuples(st.sampled_from(["event", "event", "user", "stripe-authorization"]), reference),
    scalar,
)
relationships = st.one_of(
    st.just("good"),
    st.dictionaries(st.sampled_from(RELATIONS), linkage, max_size=3),
    scalar,
)
resource = st.fixed_dictionaries(
    {"type": st.one_of(st.just("good"), st.just("good"), st.sampled_from(TYPES), scalar)},
    optional={
        "id": st.one_of(known, odd, scalar),
        "attributes": attributes,
        "relationships": relationships,
        "included": scalar,
    },
)
body = st.one_of(
    st.none(),
    st.builds(lambda data: {"data": data}, resource),
    st.builds(lambda data: {"data": data}, resource),
    st.builds(lambda data: {"data": data}, resource),
    st.builds(lambda data: {"data": data}, scalar),
    st.dictionaries(st.sampled_from(["data", "email", "username", "password", "errors"]), scalar),
    st.sampled_from(["", "{", "[" * 2000, b"\xff", '{"data": NaN}', "1", "[]", "null", b"\x00"]),
)
NAMES = [
    "filter[event]", "filter[name]", "filter[id]", "filter[state]", "filter[livemode]", "filter",
    "filter[stripe-user-id]", "filter[stripe-secret-key]", "filter[action]", "sort", "include",
    "fields[event]", "fields[stripe-authorization]", "fields[user]", "page[size]", "page[number]",
    "page", "reveal", "public", "cache", "filter[", "fields[]", "filter[user.password-hash]",
]  # fmt: skip
VALUES = [
    "1", "0", "-1", "100", "101", "9" * 20, "true", "draft", "name", "-id", "email", "id,id",
    "owner", "organizers,coorganizers", "stripe-authorization", "event", "user", "roles.user",
    "stripe-secret-key", "stripe_secret_key", "password_hash", "%00", "%ff", "a,b,c", "",
    '[{"name":"name","op":"like","val":"%25"}]', '[{"name":"id","op":"eq","val":1}]', "[1]",
    '[{"name":"stripe-secret-key","op":"ge","val":"sk"}]', '[{"or":[]}]', "{", "stripe-secret-key",
    '[{"name":"name","op":"eq","field":"stripe_secret_key"}]', "starts-at", "-linked-at",
]  # fmt: skip
query = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=3)
rare = {
    "Accept": st.sampled_from(["*/*", "text/html", f"{JSON_API};a=b", "", "application/json"]),
    "Content-Type": st.sampled_from(["application/json", "text/plain", "", f"{JSON_API};a=b"]),
    "Authorization": st.sampled_from(["", "JWT", "JWT x.y.z", "Basic YTpi", "Bearer " + "a" * 500]),
    "Host": st.sampled_from(["evil.example", "localhost", "", "a b"]),
    "X-Request-ID": st.sampled_from(["a", "a b", "\x7f", "a" * 65]),
    "If-None-Match": st.sampled_from(["*", '"x"', "x"]),
    "X-Forwarded-For": st.just("1.2.3.4"),
    "X-HTTP-Method-Override": st.just("DELETE"),
    "Origin": st.sampled_from(["null", "https://evil.example"]),
    "Stripe-Signature": st.sampled_from(["t=1,v1=0", "x", "t=" + "9" * 30]),
    "Content-Encoding": st.just("gzip"),
    "Range": st.just("bytes=0-1"),
}
headers = st.one_of(
    st.just({}),
    st.just({}),
    st.sampled_from(sorted(rare)).flatmap(lambda name: st.fixed_dictionaries({name: rare[name]})),
)
method = st.one_of(
    st.sampled_from(METHODS), st.sampled_from([*METHODS, "PUT", "HEAD", "OPTIONS", "TRACE"])
)
# Mostly what there is; else any method at any address.
there = st.sampled_from(METHODS_AND_RULES)
route = st.one_of(there, there, there, st.tuples(method, st.sampled_from(RULES)))
requests = st.builds(lambda route, *rest: (*route, *rest), route, reference, query, headers, body)


class World:
    """One role at an event of its own, and beside it what is none of its business."""

    def __init__(self, app: Flask, stripe: StripeWorld, role: Role) -> None:
        self.app, self.stripe, self.role, self.make = app, stripe, role, Factory()
        self.sent = 0
        self.statuses: dict[int, int] = {}
        self.secrets: set[str] = set()
        self.hidden: set[str] = set()
        self.token: str | None = None
        self._renew()

    def ask(self, method: str, rule: str, of: str, query: Any, headers: Any, body: Any) -> None:
        """Send a request, and check its answer."""
        if self.sent % RENEWED_AFTER == RENEWED_AFTER - 1:
            self._renew()
        self.sent += 1
        path = rule
        for kind in ("event", "authorization", "user", "role", "setting"):
            path = path.replace(f"<{kind}>", self._id(kind, of))
        if query:
            path += "?" + "&".join(f"{name}={value}" for name, value in query)
        given = {"Accept": JSON_API, "Content-Type": JSON_API}
        if self.token:
            given["Authorization"] = f"JWT {self.token}"
        response = self.app.test_client(use_cookies=False).open(
            path, method=method, headers={**given, **headers}, data=self._body(rule, body)
        )
        self.statuses[response.status_code] = self.statuses.get(response.status_code, 0) + 1
        self._check(path, response)
        if response.status_code == 401 and self.token and "Authorization" not in headers:
            self._renew()  # it may have signed out

    def _check(self, path: str, response: TestResponse) -> None:
        text = response.text + str(response.headers)
        assert response.status_code in STATUSES, response.text
        assert "<html" not in text.lower() and "<!doctype" not in text.lower()
        assert "text/html" not in response.headers.get("Content-Type", "")
        assert response.headers["X-Request-ID"] and response.headers["Cache-Control"]
        if response.data and path.startswith("/v1/") and not path.startswith("/v1/auth/"):
            assert response.mimetype == JSON_API
            assert response.json["jsonapi"] == {"version": "1.0"}
        document = response.json if response.data and response.is_json else {}
        for error in document.get("errors", []):
            assert error["code"] in CODES
            assert error["status"].isdigit() and isinstance(error["detail"], str)
            assert error["id"] == response.headers["X-Request-ID"]
        for secret in self.secrets:
            assert secret not in text
        for private in self.hidden:
            assert private not in text

    def _renew(self) -> None:
        """Everything is there again, under new numbers; what was there stays secret."""
        db.session.remove()
        make = self.make
        setting: Setting = make.platform(self.stripe)
        owner, stranger = make.user(), make.user(f"hidden-{secrets.token_hex(8)}@example.net")
        own = make.event(owner)
        people = {
            ANYONE: lambda: None,
            USER: make.user,
            COORGANIZER: lambda: make.person(own, "coorganizer"),
            ORGANIZER: lambda: make.person(own, "organizer"),
            OWNER: lambda: owner,
            ADMIN: make.admin,
        }
        user = people[self.role]()
        self.token = user and Client(self.app).as_(user).token
        shown = make.event(stranger)
        hidden = make.event(stranger, state="draft", name=f"hidden {secrets.token_hex(8)}")
        deleted = make.event(stranger, deleted_at=own.starts_at)
        links = {}
        for name, event in {
            "own": own,
            "shown": shown,
            "hidden": hidden,
            "deleted": deleted,
        }.items():
            link = links[name] = make.link(event, display_name=f"Account {secrets.token_hex(8)}")
            self.secrets |= {
                link.stripe_secret_key,
                link.stripe_refresh_token,
                link.stripe_auth_code,
            }
            is_private = name != "own" or self.role < COORGANIZER
            if is_private and self.role != ADMIN:
                self.hidden |= {link.stripe_user_id, link.display_name}
        if self.role != ADMIN:
            self.hidden |= {stranger.email, hidden.name}  # not 8 hex: a request id may hold them
            self.hidden |= {links["hidden"].stripe_publishable_key}
        self.secrets |= {
            value for name, value in self.stripe.settings.items() if "secret" in name
        } | {setting.stripe_secret_key, owner.password_hash}
        events = {"own": own, "shown": shown, "hidden": hidden, "deleted": deleted}
        self._ids = {
            "event": {name: str(event.id) for name, event in events.items()},
            "authorization": {name: str(link.id) for name, link in links.items()},
            "user": {
                "own": str(user.id if user else 1),
                "hidden": str(stranger.id),
            },
            "role": {
                "own": str(make.role(make.user(), own, "coorganizer").id),
                "hidden": str(make.role(make.user(), hidden, "coorganizer").id),
            },
            "setting": dict.fromkeys(("own", "identifier", "hidden"), "1"),
        }
        self._ids["event"]["identifier"] = own.identifier
        db.session.remove()

    def _id(self, kind: str, of: str) -> str:
        names = ("own", "identifier", "hidden", "shown", "deleted")
        return self._ids[kind].get(of, self._ids[kind]["own"]) if of in names else of

    def _body(self, rule: str, body: Any) -> Any:
        if body is None or isinstance(body, str | bytes):
            return body
        return json.dumps(self._filled(rule, body))

    def _filled(self, rule: str, body: Any) -> Any:
        """Put what is there in the place of the names that a generated document holds."""
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict) or "type" not in data:
            return body
        data = dict(data)
        kind = next(
            (each for each in TYPES if rule.rpartition("/v1/")[2].startswith(each)), "event"
        )
        if rule.endswith(("/stripe-authorization", "/relationships/stripe-authorization")):
            kind = "stripe-authorization"
        if data["type"] == "good":
            data["type"] = kind
        if isinstance(data.get("id"), str):
            section = "authorization" if kind == "stripe-authorization" else "event"
            data["id"] = "1" if kind == "setting" else self._id(section, data["id"])
        if data.get("attributes") == "good":
            data["attributes"] = {**GOOD, "stripe-auth-code": f"ac_{secrets.token_hex(16)}"}
        if data.get("relationships") == "good":
            data["relationships"] = {"event": ("event", "own")}
        if isinstance(data.get("relationships"), dict):
            data["relationships"] = {
                name: self._linkage(value) for name, value in data["relationships"].items()
            }
        return {"data": data}

    def _linkage(self, value: Any) -> Any:
        if not isinstance(value, tuple):
            return value
        kind, of = value
        section = {"stripe-authorization": "authorization"}.get(kind, kind)
        return {"data": {"type": kind, "id": self._id(section, of)}}
