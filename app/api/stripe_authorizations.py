"""`stripe-authorization`: the link between an event and a Stripe account."""

from dataclasses import replace
from typing import Any

from flask import current_app, g, request
from flask_rest_jsonapi_next.data_layers.alchemy import SqlalchemyDataLayer

from app.api.event_schema import EventSchema
from app.api.events import EventDetail
from app.api.stripe_authorization_schema import StripeAuthorizationSchema
from app.auth.guard import current_caller
from app.auth.policy import CONNECT, COORGANIZER, ORGANIZER, require
from app.errors import Forbidden, IdMismatch, NotFound
from app.extensions import db
from app.jsonapi.resources import CollectionResource, DetailResource, RelationshipResource
from app.models import StripeAuthorization
from app.services.events.queries import find_event, read_event, read_events
from app.services.events.views import EventView
from app.services.linking.link import link_account
from app.services.linking.links import (
    NOT_LINKED,
    AuthorizationView,
    list_authorizations,
    read_authorization,
    read_event_authorization,
    to_view,
)
from app.services.linking.request import LinkRequest, LinkResult
from app.services.linking.unlink import unlink_account
from app.services.mirror.outbox import is_pending


class LinkingDataLayer(SqlalchemyDataLayer):
    """The library's data layer: its hook links, and nothing is left to insert."""

    def create_object(self, data: dict[str, Any], view_kwargs: dict[str, Any]) -> Any:
        self.before_create_object(data, view_kwargs)
        return _show_linked(data["grant"])


def before_create_object(
    self: SqlalchemyDataLayer, data: dict[str, Any], view_kwargs: dict[str, Any]
) -> None:
    """Exchange the authorization code at Stripe: the library's hook, and one call."""
    wanted = _link_request(data["event"], data)
    data["grant"] = link_account(wanted, current_app.extensions["stripe"])


class StripeAuthorizationList(CollectionResource):
    """`GET` the links that the caller may see in full; `POST` a code to link an account."""

    schema = StripeAuthorizationSchema
    includes = {"event": EventSchema}
    filters = {
        "event": StripeAuthorization.event_id,
        "stripe-user-id": StripeAuthorization.stripe_user_id,
        "livemode": StripeAuthorization.livemode,
    }
    sorts = {
        "id": StripeAuthorization.id,
        "event": StripeAuthorization.event_id,
        "linked-at": StripeAuthorization.linked_at,
    }
    data_layer = {
        "class": LinkingDataLayer,
        "session": db.session,
        "model": StripeAuthorization,
        "methods": {"before_create_object": before_create_object},
    }

    def get_page(self) -> tuple[int, list[AuthorizationView]]:
        count, page = list_authorizations(current_caller(), g.query.page)
        return count, _with_events(page)

    def create_object(self, data: dict[str, Any], kwargs: dict[str, Any]) -> AuthorizationView:
        link: AuthorizationView = super().create_object(data, kwargs)
        self.is_new = data["grant"].created
        return link

    def after_post(self, result: Any) -> Any:
        """Answer 200 instead of 201 if the code had made its link before."""
        document, _, headers = super().after_post(result)
        return document, 201 if self.is_new else 200, headers if self.is_new else {}


class StripeAuthorizationDetail(DetailResource):
    """One link, by its own id. A PATCH brings a new code; its event stays."""

    schema = StripeAuthorizationSchema
    includes = {"event": EventSchema}
    may_be_missing = ("event",)

    def find(self, authorization: str) -> AuthorizationView:
        return _show(read_authorization(authorization, current_caller()))

    def change(self, data: dict[str, Any], authorization: str) -> AuthorizationView:
        return _relink(data, read_authorization(authorization, current_caller()))

    def delete(self, authorization: str) -> dict[str, Any]:
        return _unlink(read_authorization(authorization, current_caller()))


class EventStripeAuthorization(StripeAuthorizationDetail):
    """The link of an event in the current mode."""

    def find(self, event: str) -> AuthorizationView:
        return _show(read_event_authorization(event, current_caller()))

    def change(self, data: dict[str, Any], event: str) -> AuthorizationView:
        return _relink(data, read_event_authorization(event, current_caller()))

    def delete(self, event: str) -> dict[str, Any]:
        return _unlink(read_event_authorization(event, current_caller()))


class StripeAuthorizationEvent(EventDetail):
    """The event of a link."""

    def find(self, authorization: str) -> EventView:
        link = read_authorization(authorization, current_caller())
        return super().find(str(link.event_id))


class StripeAuthorizationEventLinkage(RelationshipResource):
    """The linkage from a link to its event."""

    schema = StripeAuthorizationSchema

    def find(self, authorization: str) -> dict[str, Any]:
        link = read_authorization(authorization, current_caller())
        return {
            "links": {
                "self": request.path,
                "related": f"/v1/stripe-authorizations/{link.id}/event",
            },
            "data": {"type": "event", "id": str(link.event_id)},
        }


class EventStripeAuthorizationLinkage(RelationshipResource):
    """The linkage from an event to its link of the current mode; null if there is none to see."""

    schema = EventSchema

    def find(self, event: str) -> dict[str, Any]:
        seen_event = read_event(event, current_caller())
        link = seen_event.stripe_authorization
        return {
            "links": {
                "self": request.path,
                "related": f"/v1/events/{seen_event.id}/stripe-authorization",
            },
            "data": link and {"type": "stripe-authorization", "id": str(link.id)},
        }


def _link_request(event: str, data: dict[str, Any], *, replacing: int | None = None) -> LinkRequest:
    config = current_app.extensions["config"]
    return LinkRequest(
        event=event,
        caller=current_caller(),
        code=data.get("stripe_auth_code"),
        account_id=data.get("account"),
        state=data.get("state"),
        publishable_key=data.get("stripe_publishable_key"),
        state_required=config.stripe_require_state,
        timeout=config.stripe_timeout,
        replacing=replacing,
    )


def _show_linked(result: LinkResult) -> AuthorizationView:
    """Show the link as an organizer sees it, and have its account's status read soon."""
    current_app.extensions["refreshes"].schedule(result.authorization)
    return to_view(result.authorization, ORGANIZER)


def _relink(data: dict[str, Any], link: AuthorizationView) -> AuthorizationView:
    """Replace *link* by what the document says."""
    require(link.role, CONNECT)
    if data["id"] != str(link.id):
        raise IdMismatch("The id is not the one in the address.", field="id")
    if "event" in data:
        _refuse_move(data["event"], link)
    wanted = _link_request(str(link.event_id), data, replacing=link.id)
    return _show_linked(link_account(wanted, current_app.extensions["stripe"]))


def _refuse_move(reference: str, link: AuthorizationView) -> None:
    """A link stays with its event: NotFound if the other may not be known, else Forbidden."""
    if find_event(reference, current_caller()).id != link.event_id:
        raise Forbidden("A connected account cannot be moved to another event.", field="event")


def _unlink(link: AuthorizationView) -> dict[str, Any]:
    stripe = current_app.extensions["stripe"]
    deauthorization = unlink_account(link.id, current_caller(), stripe)
    meta = {"message": "Object successfully deleted", "deauthorization": deauthorization}
    mirror = is_pending(link.event_id)
    if mirror is not None:
        meta["mirror"] = "pending" if mirror else "done"
    return {"meta": meta, "jsonapi": {"version": "1.0"}}


def _show(link: AuthorizationView) -> AuthorizationView:
    """Show one link; for a reader who sees all of it the account's status is refreshed soon."""
    if link.role >= COORGANIZER:
        current_app.extensions["refreshes"].schedule(link)
    shown = _with_events([link])
    if not shown:
        raise NotFound(NOT_LINKED)
    return shown[0]


def _with_events(links: list[AuthorizationView]) -> list[AuthorizationView]:
    """
    Give *links* their whole events if the query includes them.

    An event that went since its link was read takes the link along.
    """
    if "event" not in g.query.include:
        return links
    events = read_events([link.event_id for link in links], current_caller())
    return [replace(link, event=events[link.event_id]) for link in links if link.event_id in events]
