"""Callers of the API: what they send, and what every answer must look like."""

import json
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.auth.tokens import issue_access_token, new_session_id
from app.models import User
from tests.contract.jsonapi_schema import check_document

JSON_API = "application/vnd.api+json"


class Client:
    """Sends JSON:API requests as somebody. Every call is a request with a context of its own."""

    def __init__(self, app: Flask, token: str | None = None) -> None:
        self.app, self.token = app, token

    def as_(self, user: User, *, is_fresh: bool = False) -> "Client":
        """Return a client that has signed in as *user*."""
        return Client(self.app, issue_access_token(user, new_session_id(), is_fresh=is_fresh))

    def get(self, path: str, **headers: str) -> TestResponse:
        """GET; *headers* are written with underscores."""
        return self.send("GET", path, None, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        """POST *body*: text and bytes as they are, anything else as JSON."""
        return self.send("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        """PATCH *body*."""
        return self.send("PATCH", path, body, **headers)

    def delete(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        """DELETE."""
        return self.send("DELETE", path, body, **headers)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        """Send a request and check what holds for every answer."""
        sent = {"Accept": JSON_API}
        if self.token:
            sent["Authorization"] = f"JWT {self.token}"
        if body is not None:
            sent["Content-Type"] = JSON_API
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, str | bytes) or body is None else json.dumps(body)
        # A request of its own, although the test holds an app context for its factories.
        client = self.app.test_client(use_cookies=False)
        response = client.open(path, method=method, data=data, headers=sent)
        assert response.status_code < 500 or response.status_code in (502, 503, 504), response.text
        if response.data and path.startswith("/v1/") and not path.startswith("/v1/auth/"):
            assert response.content_type == JSON_API, response.text
            check_document(response.json)
        return response


def document(type_: str, id_: Any = None, relationships: Any = None, **attributes: Any) -> dict:
    """Return a document with a resource; the names of *attributes* are dasherized."""
    data: dict[str, Any] = {"type": type_}
    if id_ is not None:
        data["id"] = str(id_)
    data["attributes"] = {name.replace("_", "-"): value for name, value in attributes.items()}
    if relationships:
        data["relationships"] = {
            name.replace("_", "-"): {"data": linkage} for name, linkage in relationships.items()
        }
    return {"data": data}


def link_document(event: Any, code: str, **attributes: str) -> dict:
    """Return the body by which the frontend links an account; *event* is an id or identifier."""
    given = {"stripe_auth_code": code, "stripe_publishable_key": "pk_of_the_platform"}
    return document(
        "stripe-authorization",
        relationships={"event": {"type": "event", "id": str(getattr(event, "id", event))}},
        **given | attributes,
    )


def assert_error(
    response: TestResponse,
    status: int,
    code: str,
    *,
    pointer: str | None = None,
    parameter: str | None = None,
) -> dict:
    """Check that *response* is exactly one error in the one shape; return the error object."""
    assert response.status_code == status, response.text
    body = response.get_json()
    assert body["jsonapi"] == {"version": "1.0"}
    (error,) = body["errors"]
    assert error["code"] == code, error
    assert error["status"] == str(status)
    assert error["title"] and isinstance(error["detail"], str) and error["detail"]
    assert error["id"] == response.headers["X-Request-ID"]
    if pointer is not None:
        assert error["source"] == {"pointer": pointer}
    if parameter is not None:
        assert error["source"] == {"parameter": parameter}
    return error
