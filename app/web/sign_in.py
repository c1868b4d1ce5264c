"""Signing in and out at the console: a form instead of JSON, and a cookie instead of a header."""

from flask import current_app, make_response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from wtforms import PasswordField, StringField
from wtforms.validators import Length

from app.auth import sessions, tokens
from app.auth.guard import COOKIE, current_caller
from app.auth.rate_limits import attempts_from, rate_limits
from app.errors import RateLimited
from app.http.hosts import client_address
from app.web.addresses import HOME, safe_next
from app.web.forms import Form, required

WRONG = "E-mail or password is wrong."


class SignInForm(Form):
    """What it takes to sign in."""

    email = StringField("E-mail", [required(), Length(max=254, message=WRONG)])
    password = PasswordField("Password", [required()])


def home() -> ResponseReturnValue:
    """Redirect to the events, or to the sign-in."""
    return redirect("/sign-in" if current_caller().is_anonymous else HOME, 303)


def sign_in() -> ResponseReturnValue:
    """Show the form; with e-mail and password, sign in and redirect to the page asked for."""
    next_page = safe_next(request.args.get("next"))
    if request.method == "GET":
        if not current_caller().is_anonymous:
            return redirect(next_page, 303)
        return _show(SignInForm())
    form = SignInForm()
    if not form.validate():
        return _show(form), 422
    try:
        rate_limits().take(attempts_from(client_address()))
        user = sessions.sign_in(form.email.data, form.password.data, client_address())
    except sessions.InvalidCredentials:
        return _show(form, WRONG), 401
    except RateLimited as refusal:
        return _show(form, refusal.detail), refusal.status, refusal.headers
    return _let_in(user, form.email.data, next_page)


def _show(form: SignInForm, problem: str | None = None) -> str:
    return render_template("sign_in.html", form=form, problem=problem)


def _let_in(user: tokens.SessionUser, email: str, next_page: str) -> ResponseReturnValue:
    session.pop("csrf_token", None)  # of the person who used this browser before
    session["email"] = sessions.normalize_email(email)
    token = tokens.issue_access_token(user, tokens.new_session_id(), is_fresh=True)
    response = make_response(redirect(next_page, 303))
    response.set_cookie(
        COOKIE,
        token,
        max_age=tokens.LIFETIMES["access"],
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
    )
    return response


def sign_out() -> ResponseReturnValue:
    """End the session, with all its tokens and on every instance."""
    caller = current_caller()
    if not caller.is_anonymous:
        sessions.end_session(caller)
    session.clear()
    response = make_response(redirect("/sign-in", 303))
    response.delete_cookie(
        COOKIE,
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
    )
    return response
