"""JSON:API in: one table says which address reaches which resource."""

from flask import Blueprint, Flask
from flask_rest_jsonapi_next import Api

from app.api import (
    audit_entries,
    authorization_requests,
    events,
    health,
    sessions,
    settings,
    stripe_authorizations,
    stripe_checks,
    users,
    users_events_roles,
    webhooks,
)
from app.api.documents import StrictJSONProvider
from app.auth import right_of

# The variables are strings, so that an address that is no id is simply not found.
ADDRESSES = {
    events.EventList: ["/events"],
    events.EventDetail: ["/events/<event>"],
    events.EventStripeLinkAttempts: ["/events/<event>/stripe-link-attempts"],
    stripe_authorizations.EventStripeAuthorization: ["/events/<event>/stripe-authorization"],
    stripe_authorizations.EventStripeAuthorizationLinkage: [
        "/events/<event>/relationships/stripe-authorization"
    ],
    stripe_authorizations.StripeAuthorizationList: ["/stripe-authorizations"],
    stripe_authorizations.StripeAuthorizationDetail: ["/stripe-authorizations/<authorization>"],
    stripe_authorizations.StripeAuthorizationEvent: [
        "/stripe-authorizations/<authorization>/event"
    ],
    stripe_authorizations.StripeAuthorizationEventLinkage: [
        "/stripe-authorizations/<authorization>/relationships/event"
    ],
    settings.SettingDetail: ["/settings", "/settings/<setting>"],
    audit_entries.AuditEntryList: ["/audit-entries"],
    authorization_requests.StripeAuthorizationRequestList: ["/stripe-authorization-requests"],
    stripe_checks.StripeCheckList: ["/stripe-checks"],
    users.UserDetail: ["/users/<user>"],
    users_events_roles.EventUsersEventsRoles: ["/events/<event>/users-events-roles"],
    users_events_roles.UsersEventsRoleList: ["/users-events-roles"],
    users_events_roles.UsersEventsRoleDetail: ["/users-events-roles/<role>"],
}
METHODS = ("GET", "POST", "PATCH", "DELETE")


def init_app(app: Flask) -> None:
    """
    Register every address, with the methods that have a right.

    The library's own error handlers stay out: ours answer alone.
    """
    app.json = StrictJSONProvider(app)
    blueprint = Blueprint("api", __name__, url_prefix="/v1")
    api = Api(blueprint=blueprint)
    for resource, addresses in ADDRESSES.items():
        methods = [
            method for method in METHODS if right_of(method, f"/v1{addresses[0]}") is not None
        ]
        options = {"methods": methods}
        api.route(resource, resource.__name__, *addresses, url_rule_options=options)
    app.register_blueprint(blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(sessions.blueprint)
    app.register_blueprint(webhooks.blueprint)
