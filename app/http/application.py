"""The application's class: Flask, with what it asks at every request answered once."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from app.http import bodies


class ConsoleSessions(SecureCookieSessionInterface):
    """Flask's sessions, for the console's pages: the API has none, and reads no cookie."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if request.path.startswith("/v1/") else super().open_session(app, request)


class Application(Flask):
    """A Flask without coroutines."""

    request_class = bodies.Request
    session_interface = ConsoleSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return *func*. Flask looks into each hook and view at each request, a tenth of a read."""
        return func
