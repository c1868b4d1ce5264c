"""`setting`: the members of the platform's settings, and what may be written to them."""

from typing import Any

from marshmallow import ValidationError, validate
from marshmallow_jsonapi import fields

from app.auth.policy import ADMIN
from app.errors import IdMismatch
from app.jsonapi.fields import Flag, Text
from app.jsonapi.resources import Schema, dasherize
from app.services.platform.keys import LONGEST_KEY, judge_value
from app.services.platform.settings import SECRET_KEYS


class Key(Text):
    """
    A key of Stripe's: one line, trimmed. One that recognizably belongs elsewhere is refused.

    What is shortened (`sk_live_…a1B2`) is judged later, by the current value.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(longest=LONGEST_KEY, allow_none=True, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        trimmed = value.strip() if isinstance(value, str) else value
        text = super()._deserialize(trimmed, attr, data, **kwargs)
        fault = judge_value(self.name, text)
        if fault:
            raise ValidationError(fault)
        return text


class SettingSchema(Schema):
    """The settings. The four secrets are shown, masked, to administrators alone."""

    PRIVATE = dict.fromkeys(SECRET_KEYS, ADMIN)

    class Meta:
        type_ = "setting"
        inflect = dasherize
        self_url = "/v1/settings/{id}"
        self_url_kwargs = {"id": "<id>"}

    id = fields.Str()
    stripe_mode = Text(
        validate=validate.OneOf(
            ["debug", "production"],
            error="The mode must be debug (test keys) or production (live keys).",
        )
    )
    stripe_connect_method = Text(
        validate=validate.OneOf(
            ["oauth", "onboarding"], error="Organizers connect by oauth or by onboarding."
        )
    )
    is_stripe_activated = Flag(dump_only=True)
    stripe_client_id = Key()
    stripe_publishable_key = Key()
    stripe_test_client_id = Key()
    stripe_test_publishable_key = Key()
    stripe_secret_key = Key()
    stripe_test_secret_key = Key()
    stripe_webhook_secret = Key()
    stripe_test_webhook_secret = Key()

    def load(self, data: Any, **kwargs: Any) -> Any:
        """Load a document about the settings, whose id is "1": otherwise IdMismatch."""
        resource = data.get("data") if isinstance(data, dict) else None
        if isinstance(resource, dict) and resource.get("type") == self.Meta.type_:
            _check_id(resource.get("id"))
        return super().load(data, **kwargs)


def _check_id(given: Any) -> None:
    if isinstance(given, bool) or str(given) != "1":
        raise IdMismatch('The id of the settings must be "1".', pointer="/data/id")
