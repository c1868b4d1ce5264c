"""The platform's settings: mode, method and keys, and whether Stripe accepts them."""

from collections.abc import Sequence
from typing import Any

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from wtforms import RadioField, StringField

from app.auth.guard import current_caller
from app.errors import ManyInvalid
from app.extensions import bound
from app.services.platform.checks import check_platform_for
from app.services.platform.keys import judge_value
from app.services.platform.mode_checks import Check
from app.services.platform.settings import KEYS, change_settings, read_settings
from app.web.forms import Form, choices
from app.web.returning import own_address

MODES = {"debug": "Test", "production": "Live"}
WAYS = {"oauth": "OAuth", "onboarding": "Onboarding"}


class SettingsForm(Form):
    """The settings; secrets are shown masked, and a mask that comes back changes nothing."""

    stripe_mode = RadioField("Stripe mode", choices=choices(MODES))
    stripe_connect_method = RadioField("How organizers connect", choices=choices(WAYS))
    stripe_test_client_id = StringField("Test client id")
    stripe_test_publishable_key = StringField("Test publishable key")
    stripe_test_secret_key = StringField("Test secret key")
    stripe_test_webhook_secret = StringField("Test webhook secret")
    stripe_client_id = StringField("Live client id")
    stripe_publishable_key = StringField("Live publishable key")
    stripe_secret_key = StringField("Live secret key")
    stripe_webhook_secret = StringField("Live webhook secret")

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Report what is wrong with each key."""
        is_valid: bool = super().validate(*args, **kwargs)
        for name in KEYS:
            fault = judge_value(name, (self[name].data or "").strip())
            if fault is not None:
                self[name].errors, is_valid = [*self[name].errors, fault], False
        return is_valid

    def was(self, name: str) -> str:
        """Return what a field held when the form was first shown."""
        return request.form.get(f"was_{name}", self[name].object_data or "")

    def values(self) -> dict[str, Any]:
        """
        Return what was changed, trimmed. What was not stays as it is by now, whoever changed it
        since the form was shown.
        """
        sent = {name: (self[name].data or "").strip() for name in self.data if name in request.form}
        return {name: value for name, value in sent.items() if value != self.was(name)}


def settings() -> ResponseReturnValue:
    """Show the settings, or change them: all that was sent, or nothing."""
    shown = read_settings(current_caller())
    form = SettingsForm(obj=shown)
    if request.method == "GET":
        return _show(form)
    if form.validate():
        try:
            change_settings(form.values(), current_caller())
        except ManyInvalid as faults:
            form.take(faults)
        else:
            flash("Settings saved.", "good")
            return redirect("/admin/settings", 303)
    for name in KEYS:  # a key that was refused is not sent back to be shown
        if form[name].errors:
            form[name].data = getattr(shown, name)
    return _show(form), 422


def check() -> str:
    """Check the keys at Stripe, and show a line for each."""
    found = check_platform_for(current_caller(), bound("stripe"))
    return _show(SettingsForm(formdata=None, obj=read_settings(current_caller())), found.checks)


def _show(form: SettingsForm, checks: Sequence[Check] = ()) -> str:
    public_url = bound("config").public_url
    return render_template(
        "admin_settings.html",
        form=form,
        checks=checks,
        redirect_address=own_address(),
        webhook_address=f"{public_url}/stripe/webhooks",
    )
