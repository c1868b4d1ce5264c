"""
The floor: the least that answers the same requests in the same words.

A bare Flask view on a psycopg2 pool, with PyJWT. It reads the same rows from the same tables (the
user, whether the session was ended, the link, the settings), opens the same sealed settings, and
sends the same body and headers, with `ETag` and 304 on public answers; it writes the same line per
request. It runs under the same gunicorn.conf.py, but with gunicorn's own threads (gthread).

It leaves out what a service cannot: every other route, the check of headers, query and host, rate
limits, CORS, masking of secrets in the log, error documents, a database that was restarted. Who is
refused here gets a bare 401 or 404.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt
from cryptography.fernet import Fernet
from flask import Flask, Response, abort, g, request
from psycopg2.extensions import connection as Connection
from psycopg2.pool import ThreadedConnectionPool

from config import load_config

SESSION = """
    SELECT is_admin OR is_super_admin FROM users
    WHERE id = %s AND session_generation = %s AND NOT is_blocked AND deleted_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM ended_sessions WHERE ended_sessions.id = %s)
"""
LINK = """
    SELECT a.id, a.event_id, a.livemode, a.stripe_publishable_key, a.stripe_user_id, a.scope,
        a.linked_at, a.method, a.account_status, a.display_name, a.country,
        e.state = 'published' AND e.can_pay_by_stripe
            AND a.livemode = (SELECT stripe_mode = 'production' FROM settings),
        (SELECT max(CASE role WHEN 'owner' THEN 4 WHEN 'organizer' THEN 3 ELSE 2 END)
            FROM users_events_roles r WHERE r.event_id = e.id AND r.user_id = %(caller)s)
    FROM stripe_authorizations a JOIN events e ON e.id = a.event_id
    WHERE e.deleted_at IS NULL
"""
BY_ID = f"{LINK} AND a.id = %(id)s"
BY_EVENT = f"""
    {LINK} AND e.id = %(id)s AND a.livemode = (SELECT stripe_mode = 'production' FROM settings)
"""
OWN = """
    AND e.id IN (SELECT event_id FROM users_events_roles WHERE user_id = %(caller)s)
"""
COUNT = f"""
    SELECT count(*) FROM stripe_authorizations a JOIN events e ON e.id = a.event_id
    WHERE e.deleted_at IS NULL {OWN}
"""
PAGE = f"{LINK} {OWN} ORDER BY a.id LIMIT %(size)s"
SETTINGS = """
    SELECT stripe_mode, stripe_connect_method, stripe_client_id, stripe_publishable_key,
        stripe_test_client_id,
        stripe_test_publishable_key, stripe_secret_key IS NOT NULL,
        stripe_test_secret_key IS NOT NULL
    FROM settings
"""
COLUMNS = (
    "stripe_client_id",
    "stripe_publishable_key",
    "stripe_test_client_id",
    "stripe_test_publishable_key",
)

config = load_config()
fernet = Fernet(config.encryption_keys[0])
app = Flask(__name__, static_folder=None)
_pool: list[ThreadedConnectionPool] = []


@contextmanager
def connection() -> Iterator[Connection]:
    """Lend a connection that commits by itself. The pool is made after the fork."""
    if not _pool:
        _pool.append(ThreadedConnectionPool(1, 20, config.database_url.replace("+psycopg2", "")))
        _pool[0].minconn = 20  # how many are kept; given at the start, as many would be opened
    lent = _pool[0].getconn()
    try:
        lent.autocommit = True
        yield lent
    finally:
        _pool[0].putconn(lent)


def read(statement: str, parameters: Any = None) -> list[tuple]:
    """Return the rows of *statement*."""
    with connection() as lent, lent.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


@app.before_request
def begin() -> None:
    """Name the request and find out who asks."""
    g.started, g.request_id = time.perf_counter(), uuid4().hex
    g.user = None
    if header := request.headers.get("Authorization"):
        claims = jwt.decode(header[4:], config.jwt_secret_key, ["HS256"])
        generation, session, _ = claims["jti"].split(".")
        if not read(SESSION, (claims["identity"], generation, session)):
            abort(401)
        g.user = claims["identity"]


@app.get("/v1/stripe-authorizations/<int:number>")
def authorization(number: int) -> Response:
    """One link."""
    return answer_with(resource(one(BY_ID, number)))


@app.get("/v1/events/<int:number>/stripe-authorization")
def event_authorization(number: int) -> Response:
    """The link of an event."""
    return answer_with(resource(one(BY_EVENT, number)))


@app.get("/v1/stripe-authorizations")
def authorizations() -> Response:
    """A page of the caller's own links."""
    size = int(request.args["page[size]"])
    [(count,)] = read(COUNT, {"caller": g.user})
    rows = read(PAGE, {"caller": g.user, "size": size})
    base = f"{request.path}?page%5Bsize%5D={size}"
    last = -(-count // size)
    links = {
        "self": base,
        "first": f"{base}&page%5Bnumber%5D=1",
        "last": f"{base}&page%5Bnumber%5D={last}",
        "prev": None,
        "next": f"{base}&page%5Bnumber%5D=2" if last > 1 else None,
    }
    return answer(
        {"data": [resource(row) for row in rows], "links": links, "meta": {"count": count}}
    )


@app.get("/v1/settings")
def settings() -> Response:
    """The public settings."""
    [(mode, method, *sealed, has_live_key, has_test_key)] = read(SETTINGS)
    live_client, live_key, test_client, test_key = [
        open_sealed(text, f"settings.sealed_{column}")
        for text, column in zip(sealed, COLUMNS, strict=True)
    ]
    is_live = mode == "production"
    needed = (
        (live_client, live_key, has_live_key) if is_live else (test_client, test_key, has_test_key)
    )
    attributes = {
        "stripe-client-id": live_client,
        "stripe-publishable-key": live_key,
        "stripe-test-client-id": test_client,
        "stripe-test-publishable-key": test_key,
        "stripe-mode": mode,
        "stripe-connect-method": method,
        "is-stripe-activated": method == "oauth" and all(needed),
    }
    own = {"self": "/v1/settings/1"}
    return answer_with({"type": "setting", "id": "1", "attributes": attributes, "links": own})


@app.get("/health/live")
def live() -> Response:
    """Say that the process runs."""
    return Response("{}", content_type="application/json")


def one(statement: str, number: int) -> tuple:
    """Return the row with this id, if the caller may see it."""
    rows = read(statement, {"id": number, "caller": g.user})
    if not rows or not (rows[0][11] or rows[0][12]):
        abort(404)
    return rows[0]


def resource(row: tuple) -> dict[str, Any]:
    """Return a link as a resource object, with its private part for those with a role."""
    number, _, livemode, key, account, scope, linked_at, method, status, name, country = row[:11]
    rank = row[12]
    attributes = {"stripe-publishable-key": key}
    if rank:
        attributes |= {
            "stripe-user-id": account,
            "livemode": livemode,
            "scope": scope,
            "linked-at": linked_at.isoformat(),
            "method": method,
            "account-status": status,
            "display-name": name,
            "country": country,
        }
    own = f"/v1/stripe-authorizations/{number}"
    return {
        "type": "stripe-authorization",
        "id": str(number),
        "attributes": attributes,
        "relationships": {
            "event": {
                "links": {"self": f"{own}/relationships/event", "related": f"{own}/event"},
            }
        },
        "links": {"self": own},
    }


def open_sealed(text: str, place: str) -> str:
    """Open a sealed setting, and make sure that it was sealed for its place."""
    found, _, secret = fernet.decrypt(text).decode().partition("\x1f")
    assert found == place, found
    return secret


def answer_with(data: dict[str, Any]) -> Response:
    """Return the resource object *data* as a document."""
    return answer({"data": data, "links": data["links"]})


def answer(document: dict[str, Any]) -> Response:
    """Return *document* as the service sends it."""
    document["jsonapi"] = {"version": "1.0"}
    return Response(json.dumps(document), content_type="application/vnd.api+json")


@app.after_request
def finish(response: Response) -> Response:
    """Add the headers, and write the line."""
    headers = response.headers
    headers["X-Request-ID"] = g.request_id
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    if g.user is None:
        headers["Cache-Control"] = "public, no-cache"
        headers["Vary"] = "Authorization, Accept, Origin"
        response.add_etag()
        response.make_conditional(request)
    else:
        headers["Cache-Control"] = "no-store"
    line = {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "ms": round((time.perf_counter() - g.started) * 1000, 1),
        "user": g.user,
        "event": "request",
        "request_id": g.request_id,
        "level": "info",
        "timestamp": datetime.now(UTC).isoformat(),
    }
    print(json.dumps(line), file=sys.stderr, flush=True)
    return response
