"""One method of one address: who may use it, what it takes, and everything that it answers."""

import inspect
import re
from typing import Any

from app.auth.policy import ANYONE, Right
from app.errors import ServiceError
from app.http.negotiation import JSON_API
from app.http.openapi import headers
from app.http.openapi.components import Components, Json
from app.http.openapi.examples import with_example
from app.http.openapi.plain import ANSWERS, BODIES
from app.http.openapi.refusals import refusals_of
from app.http.openapi.summaries import SUMMARIES
from app.http.routing import Route
from app.jsonapi.query import DEFAULT_SIZE, LARGEST_SIZE
from app.jsonapi.resources import RelationshipResource, StrictResource

WHO = {
    "ANYONE": "Anybody.",
    "USER": "Signed-in users.",
    "COORGANIZER": "Coorganizers, organizers and owners of the event, and administrators.",
    "ORGANIZER": "Organizers and owners of the event, and administrators.",
    "OWNER": "Owners of the event, and administrators.",
    "ADMIN": "Administrators.",
}
REPEATABLE = {"POST /v1/stripe-authorizations", "POST /v1/payment-intents"}


def operation_of(route: Route, address: str, method: str, components: Components) -> Json:
    """Return the operation object of *method* on *address*."""
    right = route.rights[method]
    operation: Json = {
        "operationId": f"{method.lower()}-{re.sub(r'[^a-z0-9]+', '-', address).lstrip('-')}",
        "tags": [_tag(address)],
        "summary": _summary(route, method),
        "description": f"**Who**: {_who(right)}",
        "parameters": [*_path(address), *_query(route.view, method)],
        "responses": _responses(route, address, method, components),
        "security": _security(address, right),
    }
    body = _body(route, address, method, components)
    if body is not None:
        operation["requestBody"] = body
    return with_example(operation, f"{method} {route.addresses[0]}")


def _tag(address: str) -> str:
    parts = [part for part in address.split("/") if part and part != "v1"]
    return parts[0]


def _summary(route: Route, method: str) -> str:
    """Return what the method is for; else the first paragraph of what its view says."""
    summary = SUMMARIES.get(f"{method} {route.addresses[0]}")
    if summary is not None:
        return summary
    view = route.view
    handler = vars(view).get(method.lower()) if inspect.isclass(view) else view
    text = getattr(handler, "__doc__", None) or inspect.getdoc(view) or ""
    return " ".join(text.strip().split("\n\n")[0].split())


def _who(right: Right) -> str:
    who = WHO[right.least.name]
    if right.scopes:
        scopes = " or ".join(f"`{scope}`" for scope in sorted(right.scopes))
        who += f" Service tokens with the scope {scopes}."
    return who


def _security(address: str, right: Right) -> list[Json]:
    if address == "/metrics":
        return [{"metricsToken": []}]
    if right.least == ANYONE:
        return [{}, {"accessToken": []}] if address.startswith("/v1/") else [{}]
    tokens: list[Json] = [{"accessToken": []}]
    return [*tokens, {"serviceToken": []}] if right.scopes else tokens


def _path(address: str) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            "description": "The id, or the identifier." if name == "event" else "The id.",
        }
        for name in re.findall(r"<(\w+)>", address)
    ]


def _query(view: Any, method: str) -> list[Json]:
    if not _is_resource(view) or method != "GET":
        return []
    found = [_parameter(name, {"type": "string"}) for name in getattr(view, "parameters", ())]
    if view.includes:
        names = ", ".join(f"`{name}`" for name in view.includes)
        found.append(_parameter("include", {"type": "string"}, f"Of {names}, with commas."))
    for schema in (view.schema, *view.includes.values()):
        name = f"fields[{schema.Meta.type_}]"
        if name not in [each["name"] for each in found]:
            found.append(_parameter(name, {"type": "string"}, "Names, with commas."))
    return [*found, *_page(view)] if view.is_collection else found


def _page(view: type[StrictResource]) -> list[Json]:
    size = {"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE, "default": DEFAULT_SIZE}
    found = [
        _parameter("page[number]", {"type": "integer", "minimum": 1, "default": 1}),
        _parameter("page[size]", size),
    ]
    found += [
        _parameter(f"filter[{name}]", {"type": "string"}, "One value, or several with commas.")
        for name in view.filters
    ]
    if view.filters:
        text = 'Conditions as JSON: `[{"name": …, "op": "eq", "val": …}]`.'
        found.append(_parameter("filter", {"type": "string"}, text))
    if view.sorts:
        names = ", ".join(f"`{name}`" for name in view.sorts)
        found.append(_parameter("sort", {"type": "string"}, f"Of {names}; `-` for descending."))
    return found


def _parameter(name: str, schema: Json, description: str = "") -> Json:
    found: Json = {"name": name, "in": "query", "required": False, "schema": schema}
    return {**found, "description": description} if description else found


def _body(route: Route, address: str, method: str, components: Components) -> Json | None:
    if method not in ("POST", "PATCH"):
        return None
    view: Any = route.view
    if _is_document(view):
        is_change = method == "PATCH"
        written = getattr(view, "change_schema", None) if is_change else None
        schema = components.body_of(written or view.schema, is_change=is_change)
        return {"required": True, "content": {JSON_API: {"schema": schema}}}
    plain = BODIES.get(route.addresses[0])
    return {"required": True, "content": {"application/json": {"schema": plain}}} if plain else None


def _responses(route: Route, address: str, method: str, components: Components) -> Json:
    success = _success(route, method)
    found: Json = {str(success): _answer(route, method, components)}
    if f"{method} {address}" in REPEATABLE:  # the same had been done before
        found["200"] = {**found["201"], "headers": headers.of_answer(200, is_public=False)}
    if _is_public(route, method):
        found["304"] = {
            "description": "What `If-None-Match` names is still right.",
            "headers": headers.of_answer(304, is_public=True),
        }
    by_status: dict[int, dict[str, type[ServiceError]]] = {}
    for error in refusals_of(route, address, method):
        by_status.setdefault(error.status, {}).setdefault(error.code, error)
    for status, errors in sorted(by_status.items()):
        found[str(status)] = _refusal(errors, is_plain=route.plain_json)
    return found


def _refusal(errors: dict[str, type[ServiceError]], *, is_plain: bool) -> Json:
    """Describe refusals of one status. Signing in has `error`, a document beside it or not."""
    kinds = ("application/json", JSON_API) if is_plain else (JSON_API,)
    name = "SignInRefusal" if is_plain else "Errors"
    return {
        "description": "\n".join(
            f"* `{code}`: {' '.join((error.__doc__ or '').strip().split())}"
            for code, error in errors.items()
        ),
        "x-codes": list(errors),
        "headers": headers.of_refusal(errors.values()),
        "content": {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}} for kind in kinds},
    }


def _success(route: Route, method: str) -> int:
    return 201 if method == "POST" and _is_resource(route.view) else 200


def _answer(route: Route, method: str, components: Components) -> Json:
    view: Any = route.view
    status = _success(route, method)
    shown = headers.of_answer(status, is_public=_is_public(route, method))
    answer: Json = {"description": "Done.", "headers": shown}
    if _is_document(view) and method != "DELETE":
        is_page = view.is_collection and method == "GET"
        schema = components.document_of(view.schema, is_collection=is_page)
        answer["content"] = {JSON_API: {"schema": schema}}
    elif _is_resource(view):
        answer["content"] = {JSON_API: {"schema": {"type": "object"}}}
    elif not _is_text(route):
        schema = ANSWERS.get(route.addresses[0], {"type": "object"})
        answer["content"] = {"application/json": {"schema": schema}}
    return answer


def _is_public(route: Route, method: str) -> bool:
    """Whether it is public, so that a cache may keep it and revalidate it by its ETag."""
    is_read = method == "GET" and _is_resource(route.view)
    return is_read and route.rights["GET"].least == ANYONE


def _is_text(route: Route) -> bool:
    return route.addresses[0] in ("/metrics", "/docs") or "<file>" in route.addresses[0]


def _is_resource(view: Any) -> bool:
    return inspect.isclass(view) and issubclass(view, StrictResource)


def _is_document(view: Any) -> bool:
    """Whether what is shown and written here is a resource, and not linkage alone."""
    return _is_resource(view) and not issubclass(view, RelationshipResource)
