"""Giving and taking roles at an event."""

from flask import flash, redirect
from flask.typing import ResponseReturnValue

from app.auth.guard import current_caller
from app.auth.policy import WORK_AT_EVENT, require
from app.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited
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
    there = f"/events/{found.reference}#team"
    try:
        take_role(role, current_caller())
    except NotFound:
        flash("This role was taken away.", "good")
    except Conflict as refusal:
        flash(refusal.detail, "bad")
    else:
        flash("This role was taken away.", "good")
        if not _works_at(event):
            there = "/events"  # it was the caller's own, and the page is no longer theirs
    return redirect(there, 303)


def _works_at(event: str) -> bool:
    try:
        require(read_event(event, current_caller()).role, WORK_AT_EVENT)
    except (NotFound, Forbidden):
        return False
    return True
