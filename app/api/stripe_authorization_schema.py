"""`stripe-authorization`: the members of a link, and who sees which."""

from typing import Any

from marshmallow import ValidationError, validate, validates_schema
from marshmallow_jsonapi import fields

from app.auth.policy import COORGANIZER
from app.errors import Invalid
from app.jsonapi.fields import Flag, Moment, Related, Text
from app.jsonapi.resources import Schema, dasherize
from app.services.linking.request import NO_SOURCE, choose_method

VISIBLE_ASCII = r"[\x21-\x7e]{1,255}"


class FrontendKey(Text):
    """The publishable key that the frontend works with: judged by its mode, never stored."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return value if isinstance(value, str) else None


class StripeAuthorizationSchema(Schema):
    """
    A link. Never a token and never a code: the schema does not know them, or only to write.

    `stripe-user-id` is public where Stripe.js needs it: if Stripe sent no key for the account.
    """

    PRIVATE = dict.fromkeys(
        (
            "stripe_user_id",
            "livemode",
            "scope",
            "linked_at",
            "method",
            "account_status",
            "display_name",
            "country",
        ),
        COORGANIZER,
    )
    SERVICE_NAMES = {"code": "stripe_auth_code"}

    class Meta:
        type_ = "stripe-authorization"
        inflect = dasherize
        self_url = "/v1/stripe-authorizations/{id}"
        self_url_kwargs = {"id": "<id>"}

    id = fields.Str()
    stripe_publishable_key = FrontendKey(allow_none=True)
    stripe_user_id = Text(dump_only=True)
    livemode = Flag(dump_only=True)
    scope = Text(dump_only=True)
    linked_at = Moment(dump_only=True)
    method = Text(dump_only=True)
    account_status = Text(dump_only=True)
    display_name = Text(dump_only=True)
    country = Text(dump_only=True)
    stripe_auth_code = Text(
        load_only=True,
        error_messages={"null": NO_SOURCE},
        validate=validate.Regexp(
            VISIBLE_ASCII + r"\Z", error="The code must be 1 to 255 visible ASCII characters."
        ),
    )
    state = Text(load_only=True)
    account = Related(type_="stripe-account", load_only=True)
    event = Related(
        type_="event",
        schema="EventSchema",
        id_field="id",
        attribute="event",
        required=True,
        self_url="/v1/stripe-authorizations/{id}/relationships/event",
        self_url_kwargs={"id": "<id>"},
        related_url="/v1/stripe-authorizations/{id}/event",
        related_url_kwargs={"id": "<id>"},
    )

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_source(self, data: dict[str, Any], document: dict[str, Any], **kwargs: Any) -> None:
        """Refuse a document that says no way of connecting, together with its other faults."""
        given, related = (document["data"][name] for name in ("attributes", "relationships"))
        account = "" if "account" in related else None
        code = "" if "stripe-auth-code" in given else None  # whatever it is, its field judges it
        try:
            choose_method(code, account, given.get("state"))
        except Invalid as error:
            raise ValidationError(error.detail, "stripe_auth_code") from None

    def hidden(self, obj: Any) -> frozenset[str]:
        hidden = super().hidden(obj)
        return hidden if obj.has_own_key else hidden - {"stripe_user_id"}
