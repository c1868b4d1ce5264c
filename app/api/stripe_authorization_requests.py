"""`stripe-authorization-request`: where the browser starts its trip to Stripe."""

from typing import Any

from flask import current_app
from marshmallow_jsonapi import fields

from app.api.event_schema import to_event
from app.auth.guard import current_caller
from app.jsonapi.fields import Moment, Text
from app.jsonapi.resources import CollectionResource, Schema, dasherize
from app.services.linking.authorization_requests import AuthorizationRequest
from app.services.linking.connect import request_connection


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
    event = to_event()


class StripeAuthorizationRequestList(CollectionResource):
    """`POST` to get the address at Stripe, with a state of ours."""

    schema = StripeAuthorizationRequestSchema

    def create_object(self, data: dict[str, Any], kwargs: dict[str, Any]) -> AuthorizationRequest:
        config = current_app.extensions["config"]
        return request_connection(
            data["event"],
            current_caller(),
            redirect_uri=data.get("redirect_uri"),
            allowed_uris=config.stripe_redirect_uris,
            connect_url=config.stripe_connect_url,
            stripe=current_app.extensions["stripe"],
        )
