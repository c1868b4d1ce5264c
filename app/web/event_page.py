"""The page of one event: its payments, history and team."""

from secrets import token_urlsafe

from flask import render_template
from wtforms import EmailField, SelectField
from wtforms.validators import Length

from app.auth.guard import current_caller
from app.auth.policy import CONNECT, EDIT_EVENT, MANAGE_TEAM, READ_HISTORY, WORK_AT_EVENT, require
from app.db.pages import Page
from app.extensions import bound
from app.services.accounts.views import AccountView, list_accounts
from app.services.events.queries import read_event
from app.services.events.roles import list_team
from app.services.events.theirs import is_managed_there
from app.services.events.views import EventView
from app.services.linking.attempts import AttemptView, list_attempts
from app.services.linking.summary import has_unfinished_onboarding, links_of_event
from app.services.payments.views import list_payments
from app.services.platform.settings import read_settings
from app.web.forms import Form, choices, required
from app.web.paging import Pages, page_number

PER_PAGE = 10
ROLES = {"coorganizer": "Coorganizer", "organizer": "Organizer", "owner": "Owner"}


class RoleForm(Form):
    """The form that gives a user a role."""

    email = EmailField("E-mail", [required(), Length(max=254, message="This is too long.")])
    role = SelectField("Role", choices=choices(ROLES))


def show(event: str) -> str:
    """Show one event to those who work at it."""
    found = read_event(event, current_caller())
    require(found.role, WORK_AT_EVENT)
    return show_event(found)


def show_event(event: EventView, role_form: RoleForm | None = None) -> str:
    """Return the page of *event*; *role_form* has what was refused of it, if anything was."""
    settings = read_settings(current_caller())
    livemode = settings.stripe_mode == "production"
    if event.stripe_authorization is not None:
        bound("refreshes").schedule(event.stripe_authorization)
    is_ours = not is_managed_there(event.id)
    links = {link.livemode: link for link in links_of_event(event.id)}
    pages, attempts = _history(event)
    return render_template(
        "event.html",
        event=event,
        account=event.stripe_authorization,
        livemode=livemode,
        link=links.get(livemode),
        link_elsewhere=links.get(not livemode),
        accounts=_accounts(event),
        is_unfinished=settings.stripe_connect_method == "onboarding"
        and has_unfinished_onboarding(event.id, current_caller(), livemode),
        payments=list_payments(str(event.id), current_caller(), Page(size=10))[1],
        key=token_urlsafe(16),
        attempts=attempts,
        pages=pages,
        team=list_team(event),
        roles=ROLES,
        is_ours=is_ours,
        role_form=role_form or RoleForm(formdata=None),
        may={
            "edit": is_ours and event.role >= EDIT_EVENT.least,
            "connect": event.role >= CONNECT.least,
            "manage": is_ours and event.role >= MANAGE_TEAM.least,
            "read_history": event.role >= READ_HISTORY.least,
        },
    )


def _accounts(event: EventView) -> list[AccountView]:
    """Return the accounts that could be used for the event, where none is connected."""
    if event.stripe_authorization is not None or event.role < CONNECT.least:
        return []
    return list_accounts(current_caller(), Page(size=100))[1]


def _history(event: EventView) -> tuple[Pages, list[AttemptView]]:
    """Return a page of the attempts, for those who may see them."""
    page = Page(number=page_number(), size=PER_PAGE)
    if event.role < READ_HISTORY.least:
        return Pages(page, 0), []
    count, attempts = list_attempts(str(event.id), current_caller(), page)
    return Pages(page, count), attempts
