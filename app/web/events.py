"""The list of events, and the form of one."""

import secrets
from datetime import UTC, datetime
from typing import Any

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField, SelectField, StringField, ValidationError
from wtforms.validators import AnyOf, Length, Regexp

from app.auth.guard import current_caller
from app.auth.policy import EDIT_EVENT, require
from app.db.pages import Page
from app.errors import Invalid
from app.services.events.choices import CURRENCIES, TIME_ZONES
from app.services.events.edit import change_event, create_event_once
from app.services.events.queries import list_own_events, read_event
from app.services.events.theirs import MANAGED_THERE, is_managed_there
from app.services.events.views import EventView
from app.web.forms import Form, MomentField, choices, required
from app.web.paging import Pages, page_number
from app.web.wording import at, zone_of

PER_PAGE = 20
NOT_THERE = "The clocks of this time zone skip this time. Choose another one."
ZONES = choices({"": "Choose a time zone"} | {zone: zone for zone in sorted(TIME_ZONES)})
NAMED = {code: f"{code} – {name}" for code, name in CURRENCIES.items()}
MONEY = choices({"": "Choose a currency"} | NAMED)


class EventForm(Form):
    """A new event, or the changed facts of one."""

    name = StringField(
        "Name",
        [
            required(),
            Regexp(r"\s*\S", message="Give the event a name."),
            Length(max=255, message="This can have at most 255 characters."),
        ],
    )
    timezone = SelectField("Time zone", [required()], choices=ZONES, validate_choice=False)
    starts_at = MomentField("Start", validators=[required()])
    ends_at = MomentField("End", validators=[required()])
    payment_currency = SelectField("Currency", choices=MONEY, validate_choice=False)
    can_pay_by_stripe = BooleanField("Pay by Stripe", default=True)
    is_published = BooleanField("Published")
    form = HiddenField()

    before: EventView | None = None  # the event that is changed
    timezone_known = AnyOf(TIME_ZONES, message="This is not a known time zone.")

    def validate_timezone(self, field: SelectField) -> None:
        self.timezone_known(self, field)

    def validate_payment_currency(self, field: SelectField) -> None:
        if field.data and field.data not in CURRENCIES:
            raise ValidationError("This is not a known currency.")

    def values(self) -> dict[str, Any]:
        """Return what the services take. Raises Invalid for a time that a place does not have."""
        return {
            "name": self.name.data.strip(),
            "timezone": self.timezone.data,
            "starts_at": self._moment("starts_at"),
            "ends_at": self._moment("ends_at"),
            "payment_currency": self.payment_currency.data or None,
            "can_pay_by_stripe": self.can_pay_by_stripe.data,
            "state": "published" if self.is_published.data else "draft",
        }

    def _moment(self, name: str) -> datetime:
        """
        Return a time by the clocks of the event's place as a moment.

        One that was not changed stays to the second, and is not moved where the clocks show it
        twice.
        """
        local: datetime = self[name].data
        zone = zone_of(self.timezone.data)
        if self.before is not None and self.before.timezone == self.timezone.data:
            stored: datetime = getattr(self.before, name)
            shown = at(zone, stored).replace(tzinfo=None)
            if local.replace(second=0) == shown.replace(second=0, microsecond=0):
                return stored
        try:
            moment = local.replace(tzinfo=zone).astimezone(UTC)
            if moment.astimezone(zone).replace(tzinfo=None) == local:
                return moment
        except (ValueError, OverflowError):
            pass
        raise Invalid(NOT_THERE, field=name)


def show_list() -> str:
    """Show the events that the caller works at."""
    wanted = request.args.get("q", "").strip()[:255]
    wanted = wanted if wanted.isprintable() else ""
    page = Page(number=page_number(), size=PER_PAGE)
    count, events = list_own_events(current_caller(), page, wanted)
    pages = Pages(page, count)
    return render_template("events.html", events=events, pages=pages, wanted=wanted)


def create() -> ResponseReturnValue:
    """Show the form for a new event, or create one."""
    form = EventForm()
    if request.method == "GET":
        form.form.data = secrets.token_urlsafe(16)
        return _show_form(form)
    event = _save(form, lambda values: create_event_once(values, current_caller(), _key(form)))
    return redirect(f"/events/{event.reference}", 303) if event else (_show_form(form), 422)


def _key(form: EventForm) -> str:
    return (form.form.data or secrets.token_urlsafe(16))[:64]


def edit(event: str) -> ResponseReturnValue:
    """Show the form with an event's facts, or change them."""
    found = read_event(event, current_caller())
    require(found.role, EDIT_EVENT)
    if is_managed_there(found.id):
        flash(MANAGED_THERE, "calm")
        return redirect(f"/events/{found.reference}", 303)
    form = EventForm(data=_facts(found))
    form.before = found
    if request.method == "GET":
        return _show_form(form, found)
    changed = _save(
        form,
        lambda values: change_event(event, {"id": str(found.id), **values}, current_caller()),
    )
    if changed is None:
        return _show_form(form, found), 422
    return redirect(f"/events/{changed.reference}", 303)


def _facts(event: EventView) -> dict[str, Any]:
    zone = zone_of(event.timezone)
    return {
        "name": event.name,
        "timezone": event.timezone,
        "starts_at": at(zone, event.starts_at),
        "ends_at": at(zone, event.ends_at),
        "payment_currency": event.payment_currency or "",
        "can_pay_by_stripe": event.can_pay_by_stripe,
        "is_published": event.state == "published",
    }


def _save(form: EventForm, save: Any) -> EventView | None:
    """Return what *save* makes of the form's values; None if one of them is refused."""
    if not form.validate():
        return None
    try:
        event: EventView = save(form.values())
    except Invalid as refusal:
        if not form.take(refusal):
            raise
        return None
    return event


def _show_form(form: EventForm, event: EventView | None = None) -> str:
    return render_template("event_form.html", form=form, event=event)
