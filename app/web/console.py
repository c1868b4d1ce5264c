"""What every page of the console has: its policy, its form token, its refusals."""

from urllib.parse import urlsplit

from flask import Flask, Response, g, make_response, redirect, render_template, request
from flask_wtf.csrf import generate_csrf, validate_csrf
from markupsafe import Markup
from wtforms import ValidationError

from app.auth.guard import caller_of_cookie
from app.auth.policy import Caller
from app.errors import BadRequest, ServiceError, Unauthenticated
from app.http.request_ids import request_id
from app.web import wording
from app.web.addresses import next_after
from app.web.assets import asset_url
from app.web.forms import control
from config import Config

STALE_FORM = "This form is out of date, and nothing was changed. Reload its page and try again."


class Console:
    """The console of one application. Its pages stand in the table of routes."""

    def __init__(self, app: Flask, config: Config) -> None:
        stripe = urlsplit(config.stripe_connect_url)
        self._policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
            f" form-action 'self' {stripe.scheme}://{stripe.netloc};"
            " base-uri 'none'; frame-ancestors 'none'"
        )
        app.config.update(
            SESSION_COOKIE_NAME="console_form",
            SESSION_COOKIE_SAMESITE="Lax",
            SESSION_COOKIE_SECURE=config.public_url.startswith("https:"),
            WTF_CSRF_TIME_LIMIT=None,  # the token ends with the browser's session
        )
        app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
        app.jinja_env.filters.update(wording.FILTERS)
        app.jinja_env.globals.update(
            asset_url=asset_url,
            control=control,
            token=_token_field,
            current=_mark_current,
            whoever=_whoever,
        )
        app.before_request(_check_form)
        app.after_request(self._guard_page)

    def refuse(self, error: ServiceError) -> Response:
        """Return the page for *error*; without a sign-in, redirect to it."""
        if isinstance(error, Unauthenticated):
            return make_response(redirect(f"/sign-in?{next_after(request)}", 303))
        g.is_page = True
        page = render_template("error.html", error=error, request_id=request_id())
        response = make_response(page, error.status)
        response.headers.update(error.headers)
        return response

    def _guard_page(self, response: Response) -> Response:
        route = g.get("route")
        if (route is not None and route.page) or "is_page" in g:
            response.headers.setdefault("Content-Security-Policy", self._policy)
        return response


def _check_form() -> None:
    """Refuse a form that is not ours, or was shown to another user, before a view sees it."""
    route = g.get("route")
    if request.url_rule is None or route is None or not route.page or request.method != "POST":
        return
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        raise BadRequest(STALE_FORM) from None


def _token_field() -> Markup:
    """Return the field that every form of ours has."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _mark_current(path: str) -> str:
    """Return the attribute of a link to the part of the console that is shown."""
    return Markup('aria-current="page"') if request.path.startswith(path) else ""


def _whoever() -> Caller:
    """Return the caller, for a page that may have failed before the guard ran."""
    caller: Caller | None = g.get("caller")
    if caller is None:
        try:
            caller = caller_of_cookie()
        except Exception:  # because a page that tells of a failure must not fail
            caller = Caller()
        g.caller = caller
    return caller
