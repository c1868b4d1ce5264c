"""A browser without a screen for fast tests: it keeps cookies and sends the forms it was shown."""

import re
from html import unescape
from typing import Any

from flask import Flask, g
from werkzeug.test import TestResponse

from app.auth.guard import COOKIE
from app.auth.tokens import issue_access_token, new_session_id
from app.models import User

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """Looks at the console's pages as somebody."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()

    def as_(self, user: User) -> "Browser":
        """Be signed in as *user* from now on."""
        self._client.set_cookie(COOKIE, issue_access_token(user, new_session_id()))
        return self

    def cookie(self, name: str, path: str = "/") -> Any:
        """Return the cookie that is called *name*."""
        return self._client.get_cookie(name, path=path)

    def cookies(self) -> list[Any]:
        """Return every cookie that was set."""
        return list(self._client._cookies.values())

    def get(self, path: str, query: Any = None, **headers: str) -> TestResponse:
        """Look at a page."""
        return self._open("GET", path, headers=headers, query_string=query)

    def send(self, path: str, fields: Any = None, *, token: bool = True) -> TestResponse:
        """Send a form, with the token of one that was shown before unless *token* is False."""
        given = dict(fields or {})
        if token:
            given["csrf_token"] = self.token()
        return self._open("POST", path, data=given)

    def _open(self, method: str, path: str, headers: Any = None, **more: Any) -> TestResponse:
        for kept in ("csrf_token", "caller", "is_page"):
            g.pop(kept, None)  # of the request before: the test's app context is theirs too
        given = {"Accept": "text/html", **(headers or {})}
        return self._client.open(path, method=method, headers=given, **more)

    def token(self) -> str:
        """Return the token that every form of this browser's has."""
        for page in ("/sign-in", "/events"):
            found = TOKEN.search(self.get(page).text)
            if found:
                return found[1]
        raise AssertionError("no page has a form")


def words(response: TestResponse) -> str:
    """Return what a page says, without its tags, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.text)).split())
