"""The wire contract: every resource's members, in one sitting."""

from typing import Any
from zoneinfo import available_timezones

import pycountry
from marshmallow import ValidationError, validate
from marshmallow_jsonapi import fields

from app.api.fields import Flag, Moment, Related, Text
from app.api.jsonapi import Schema, dasherize
from app.auth import ADMIN, COORGANIZER

NO_CODE = "There is no authorization code. Please connect with Stripe first."
VISIBLE_ASCII = r"[\x21-\x7e]{1,255}"


def _check_currency(code: str | None) -> None:
    if code is not None and pycountry.currencies.get(alpha_3=code) is None:
        raise ValidationError("This currency is not known.")


class UserSchema(Schema):
    """People. Those who work together see the address; oneself and admins see the rest, too."""

    PRIVATE = {
        "email": COORGANIZER,
        **dict.fromkeys(("is_admin", "is_super_admin", "is_verified", "created_at"), ADMIN),
    }

    class Meta:
        type_ = "user"
        inflect = dasherize
        self_url = "/v1/users/{id}"
        self_url_kwargs = {"id": "<id>"}

    id = fields.Str(dump_only=True)
    email = Text(dump_only=True)
    is_admin = Flag(dump_only=True)
    is_super_admin = Flag(dump_only=True)
    is_verified = Flag(dump_only=True)
    created_at = Moment(dump_only=True)


def _to_user() -> Related:
    """Linkage to the user whose id the resource has."""
    return Related(
        type_="user",
        schema=UserSchema,
        allow_none=True,
        include_resource_linkage=True,
        related_url="/v1/users/{id}",
        related_url_kwargs={"id": "<user_id>"},
    )


def _to_event() -> Related:
    """Linkage to the event whose id the resource has; whoever creates the resource names it."""
    return Related(
        type_="event",
        include_resource_linkage=True,
        required=True,
        related_url="/v1/events/{id}",
        related_url_kwargs={"id": "<event_id>"},
    )


class UsersEventsRoleSchema(Schema):
    """A role that somebody has at an event; the user is named by linkage or by `email`."""

    class Meta:
        type_ = "users-events-role"
        inflect = dasherize

    id = fields.Str(dump_only=True)
    role = Text(
        required=True,
        validate=validate.OneOf(
            ["owner", "organizer", "coorganizer"],
            error="The role is owner, organizer or coorganizer.",
        ),
    )
    email = Text(load_only=True, allow_none=True)
    user = _to_user()
    event = _to_event()


class StripeAuthorizationSchema(Schema):
    """
    A link. Never a token and never a code: the schema does not know them, or only to write.

    `stripe-user-id` is public where Stripe.js needs it: if Stripe sent no key for the account.
    """

    PRIVATE = dict.fromkeys(
        ("stripe_user_id", "livemode", "scope", "linked_at", "account_status", "display_name"),
        COORGANIZER,
    )

    class Meta:
        type_ = "stripe-authorization"
        inflect = dasherize
        self_url = "/v1/stripe-authorizations/{id}"
        self_url_kwargs = {"id": "<id>"}

    id = fields.Str()
    stripe_publishable_key = Text(dump_only=True)
    stripe_user_id = Text(dump_only=True)
    livemode = Flag(dump_only=True)
    scope = Text(dump_only=True)
    linked_at = Moment(dump_only=True)
    account_status = Text(dump_only=True)
    display_name = Text(dump_only=True)
    stripe_auth_code = Text(
        load_only=True,
        required=True,
        error_messages={"required": NO_CODE, "null": NO_CODE},
        validate=validate.Regexp(
            VISIBLE_ASCII + r"\Z", error="The code must be 1 to 255 visible ASCII characters."
        ),
    )
    state = Text(load_only=True)
    event = Related(
        type_="event",
        schema="EventSchema",
        id_field="id",
        attribute="event",
        include_resource_linkage=True,
        required=True,
        self_url="/v1/stripe-authorizations/{id}/relationships/event",
        self_url_kwargs={"id": "<id>"},
        related_url="/v1/stripe-authorizations/{id}/event",
        related_url_kwargs={"id": "<id>"},
    )

    def hidden(self, obj: Any) -> frozenset[str]:
        hidden = super().hidden(obj)
        return hidden if obj.has_own_key else hidden - {"stripe_user_id"}


class StripeLinkAttemptSchema(Schema):
    """An entry of the history of an event's attempts to link an account."""

    class Meta:
        type_ = "stripe-link-attempt"
        inflect = dasherize

    id = fields.Str(dump_only=True)
    outcome = Text(dump_only=True)
    error_code = Text(dump_only=True)
    detail = Text(dump_only=True)
    livemode = Flag(dump_only=True)
    state_checked = Flag(dump_only=True)
    started_at = Moment(dump_only=True)
    finished_at = Moment(dump_only=True)
    user = _to_user()


class StripeAuthorizationRequestSchema(Schema):
    """The browser's trip to Stripe: where it goes, and what it must bring back."""

    class Meta:
        type_ = "stripe-authorization-request"
        inflect = dasherize

    id = fields.Str(dump_only=True)
    redirect_uri = Text(longest=2000)
    authorize_url = Text(dump_only=True)
    state = Text(dump_only=True)
    expires_at = Moment(dump_only=True)
    event = _to_event()


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
    name = Text(required=True, validate=validate.Regexp(r"\s*\S", error="The event needs a name."))
    description = Text(longest=100_000, allow_none=True)
    starts_at = Moment(required=True)
    ends_at = Moment(required=True)
    timezone = Text(
        required=True,
        validate=validate.OneOf(available_timezones(), error="This time zone is not known."),
    )
    state = Text(
        validate=validate.OneOf(["draft", "published"], error="The state is draft or published.")
    )
    payment_country = Text(longest=64, allow_none=True)
    payment_currency = Text(
        allow_none=True,
        validate=_check_currency,
    )
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
        allow_none=True,
        self_url="/v1/events/{id}/relationships/stripe-authorization",
        self_url_kwargs={"id": "<id>"},
        related_url="/v1/events/{id}/stripe-authorization",
        related_url_kwargs={"id": "<id>"},
    )
    owner = Related(type_="user", schema=UserSchema, dump_only=True)
    organizers = Related(type_="user", schema=UserSchema, many=True, dump_only=True)
    coorganizers = Related(type_="user", schema=UserSchema, many=True, dump_only=True)


class AuditEntrySchema(Schema):
    """One deed that was recorded."""

    class Meta:
        type_ = "audit-entry"
        inflect = dasherize

    id = fields.Str(dump_only=True)
    at = Moment(dump_only=True)
    action = Text(dump_only=True)
    subject = Text(dump_only=True)
    user_id = fields.Str(dump_only=True)
    event_id = fields.Str(dump_only=True)
    request_id = Text(dump_only=True)
