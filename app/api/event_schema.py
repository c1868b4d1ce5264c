"""`event`: the members of an event, and what may be written to them."""

from typing import Any

from marshmallow import ValidationError, validate
from marshmallow_jsonapi import fields

from app.api.stripe_authorization_schema import StripeAuthorizationSchema
from app.api.user_schema import UserSchema
from app.auth.policy import ADMIN, COORGANIZER
from app.jsonapi.fields import Flag, Moment, Related, Text
from app.jsonapi.resources import Schema, dasherize
from app.services.events.choices import CURRENCIES, TIME_ZONES


class Currency(Text):
    """A currency by its code of ISO 4217, in any case; kept in upper case."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        code = super()._deserialize(value, attr, data, **kwargs).upper()
        if code not in CURRENCIES or not value.isascii():
            raise ValidationError("This is not a known currency.")
        return code


class EventSchema(Schema):
    """An event, as the wizard edits it. What is derived or given by the service is read-only."""

    PRIVATE = {"stripe_action_needed": COORGANIZER, "deleted_at": ADMIN}

    class Meta:
        type_ = "event"
        inflect = dasherize
        self_url = "/v1/events/{id}"
        self_url_kwargs = {"id": "<id>"}

    id = fields.Str()
    identifier = Text(dump_only=True)
    name = Text(required=True, validate=validate.Regexp(r"\s*\S", error="Give the event a name."))
    description = Text(longest=100_000, allow_none=True)
    starts_at = Moment(required=True)
    ends_at = Moment(required=True)
    timezone = Text(
        required=True,
        validate=validate.OneOf(TIME_ZONES, error="This is not a known time zone."),
    )
    state = Text(
        validate=validate.OneOf(
            ["draft", "published"], error="The state must be draft or published."
        )
    )
    payment_country = Text(longest=64, allow_none=True)
    payment_currency = Currency(allow_none=True)
    can_pay_by_stripe = Flag()
    is_stripe_linked = Flag(dump_only=True)
    stripe_action_needed = Flag(dump_only=True)
    owner_name = Text(allow_none=True)
    created_at = Moment(dump_only=True)
    deleted_at = Moment(dump_only=True)
    stripe_authorization = Related(
        type_="stripe-authorization",
        schema=StripeAuthorizationSchema,
        include_resource_linkage=True,
        dump_only=True,  # what comes in is ignored: clients send back what they once saw
        self_url="/v1/events/{id}/relationships/stripe-authorization",
        self_url_kwargs={"id": "<id>"},
        related_url="/v1/events/{id}/stripe-authorization",
        related_url_kwargs={"id": "<id>"},
    )
    owner = Related(type_="user", schema=UserSchema, dump_only=True)
    organizers = Related(type_="user", schema=UserSchema, many=True, dump_only=True)
    coorganizers = Related(type_="user", schema=UserSchema, many=True, dump_only=True)


def to_event() -> Related:
    """Linkage to the event whose id the resource has; the client names it when it creates one."""
    return Related(
        type_="event",
        include_resource_linkage=True,
        required=True,
        related_url="/v1/events/{id}",
        related_url_kwargs={"id": "<event_id>"},
    )
