"""The OpenAPI 3.1 document: every address of the table of routes, and what it shares."""

import re
from collections.abc import Iterable
from typing import Any

from apispec import APISpec
from flask import Response, current_app, json

from app.http.openapi.components import ERRORS, SIGN_IN_REFUSAL, Components
from app.http.openapi.operations import operation_of
from app.http.routing import Route, routes_of

VERSION = "1.0.0"
INTRODUCTION = """\
Connects an event's organizer to their Stripe account, and gives ticket buyers the publishable key.

JSON:API 1.0: `application/vnd.api+json`, names with dashes, ids are strings. Sign in with
`POST /auth/session` and send `Authorization: JWT <access token>`. Every error has a stable `code`
and one sentence for the reader in `detail`.
"""
SECURITY = {
    "accessToken": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`JWT <access token>`; `Bearer <access token>` is understood too.",
    },
    "serviceToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "`Bearer oest_…`, made by `manage.py tokens create`.",
    },
    "metricsToken": {"type": "http", "scheme": "bearer"},
}


def show() -> Response:
    """Return the document of the running application; made when it is first asked for."""
    kept = current_app.extensions
    if "openapi" not in kept:
        routes = {id(route): route for route in routes_of(current_app).values()}
        kept["openapi"] = json.dumps(describe(routes.values()))
    return Response(kept["openapi"], mimetype="application/json")


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of *routes*, as JSON's objects and arrays."""
    spec = APISpec(
        title="Stripe linking for Open Event",
        version=VERSION,
        openapi_version="3.1.0",
        info={"description": INTRODUCTION},
    )
    for name, scheme in SECURITY.items():
        spec.components.security_scheme(name, scheme)
    spec.components.schema("Errors", ERRORS)
    spec.components.schema("SignInRefusal", SIGN_IN_REFUSAL)
    components = Components(spec)
    for route in (each for each in routes if not each.page):
        for address in route.addresses:
            spec.path(
                path=re.sub(r"<(\w+)>", r"{\1}", address),
                operations={
                    method.lower(): operation_of(route, address, method, components)
                    for method in route.rights
                },
            )
    document: dict[str, Any] = spec.to_dict()
    return document
