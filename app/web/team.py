"""Giving and taking roles at an event."""

from flask import flash, redirect
from flask.typing import ResponseReturnValue

from app.auth.guard import current_caller
from app.errors import Conflict, Invalid, NotFound, RateLimited
from app.services.events.queries import read_event
from app.services.events.roles import give_role, take_role
from app.web.event_page import ROLES, RoleForm, show_event


def give(event: str) -> ResponseReturnValue:
    """Give a user a role, and say so on the event's page."""
    found, form = read_event(event, current_caller()), RoleForm()
    if form.validate():
        email = form.email.data.strip()
        try:
            give_role(
                event, current_caller(), role=form.role.data, user_reference=None, email=email
            )
        except (Invalid, Conflict, RateLimited) as refusal:
            refusal.field = "email"  # the only field where the person is named here
            form.take(refusal)
        else:
            flash(f"{email} now has the role {ROLES[form.role.data].lower()}.", "good")
            return redirect(f"/events/{found.reference}#team", 303)
    return show_event(found, form), 422


def take(event: str, role: str) -> ResponseReturnValue:
    """Take a role away; no error if it is gone already."""
    found = read_event(event, current_caller())
    try:
        take_role(role, current_caller())
    except NotFound:
        flash("This role was taken away.", "good")
    except Conflict as refusal:
        flash(refusal.detail, "bad")
    else:
        flash("This role was taken away.", "good")
    return redirect(f"/events/{found.reference}#team", 303)
