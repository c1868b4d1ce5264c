"""The administrators' pages: links, the audit trail, users."""

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.auth.guard import current_caller
from app.db.pages import Page
from app.errors import Conflict, NotFound
from app.services.audit import list_for
from app.services.linking.overview import list_links, list_undelivered
from app.services.users import UnknownUser, block_user, list_users, read_user, unblock_user
from app.web.paging import Pages, page_number

PER_PAGE = 50
STATES = {"attention": "Needs attention", "active": "Active", "unknown": "Not checked yet"}


def links() -> str:
    """Show every link, with what is to be done about it."""
    wanted = request.args.get("state", "")
    state, page = wanted if wanted in STATES else None, Page(page_number(), PER_PAGE)
    count, found = list_links(current_caller(), page, state)
    return render_template(
        "admin_links.html",
        links=found,
        pages=Pages(page, count),
        states=STATES,
        state=state,
        undelivered=list_undelivered(current_caller()),
    )


def audit() -> str:
    """Show who did what."""
    user, event = _asked("user"), _asked("event")
    page = Page(page_number(), PER_PAGE)
    count, entries = list_for(current_caller(), page, user, event)
    return render_template(
        "admin_audit.html", entries=entries, pages=Pages(page, count), user=user, event=event
    )


def users() -> str:
    """Show the users, or those with a part of an address."""
    wanted, page = _asked("q"), Page(page_number(), PER_PAGE)
    count, found = list_users(current_caller(), page, wanted)
    return render_template("admin_users.html", users=found, pages=Pages(page, count), wanted=wanted)


def block(user: str) -> ResponseReturnValue:
    """End the sessions of a user, and refuse new ones."""
    found = read_user(user, current_caller())
    try:
        block_user(found.email, by=current_caller().id)
    except Conflict as refusal:
        flash(refusal.detail, "bad")
    except UnknownUser:
        raise NotFound("There is no such user.") from None
    else:
        flash(f"{found.email} is blocked, and signed out everywhere.", "good")
    return redirect("/admin/users", 303)


def unblock(user: str) -> ResponseReturnValue:
    """Let a user sign in again."""
    found = read_user(user, current_caller())
    try:
        unblock_user(found.email, by=current_caller().id)
    except UnknownUser:
        raise NotFound("There is no such user.") from None
    flash(f"{found.email} can sign in again.", "good")
    return redirect("/admin/users", 303)


def _asked(name: str) -> str:
    text = request.args.get(name, "").strip()[:255]
    return text if text.isprintable() else ""
