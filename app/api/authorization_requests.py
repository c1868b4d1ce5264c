"""`stripe-authorization-request`: where the browser starts its trip to Stripe."""

from typing import Any

from flask import current_app
from flask_rest_jsonapi_next.data_layers.alchemy import SqlalchemyDataLayer

from app.api.jsonapi import Listing
from app.api.schemas import StripeAuthorizationRequestSchema
from app.auth import current_caller
from app.extensions import db
from app.models import StripeAuthorizationRequest
from app.services.authorization_requests import AuthorizationRequest, create_request


class RequestDataLayer(SqlalchemyDataLayer):
    """The library's data layer, with our service in the place of a bare INSERT."""

    def create_object(
        self, data: dict[str, Any], view_kwargs: dict[str, Any]
    ) -> AuthorizationRequest:
        config = current_app.extensions["config"]
        return create_request(
            data["event"],
            current_caller(),
            redirect_uri=data.get("redirect_uri"),
            allowed_uris=config.stripe_redirect_uris,
            connect_url=config.stripe_connect_url,
        )


class StripeAuthorizationRequestList(Listing):
    """`POST` to get the address at Stripe, with a state of ours."""

    schema = StripeAuthorizationRequestSchema
    data_layer = {
        "class": RequestDataLayer,
        "session": db.session,
        "model": StripeAuthorizationRequest,
    }
