"""`event`: what the wizard needs."""

from typing import Any

from flask import current_app, g
from flask_rest_jsonapi_next.data_layers.alchemy import SqlalchemyDataLayer

from app.api.event_schema import EventSchema
from app.api.stripe_authorization_schema import StripeAuthorizationSchema
from app.api.user_schema import UserSchema
from app.auth.guard import current_caller
from app.extensions import db
from app.jsonapi.resources import CollectionResource, DetailResource
from app.models import Event
from app.services.events.edit import change_event, create_event, delete_event
from app.services.events.queries import add_people, list_events, read_event

PEOPLE = {"owner", "organizers", "coorganizers"}
INCLUDES = {
    "stripe-authorization": StripeAuthorizationSchema,
    "owner": UserSchema,
    "organizers": UserSchema,
    "coorganizers": UserSchema,
}


class EventDataLayer(SqlalchemyDataLayer):
    """The library's data layer, with our service in the place of a bare INSERT."""

    def create_object(self, data: dict[str, Any], view_kwargs: dict[str, Any]) -> Event:
        return create_event(data, current_caller())


class EventList(CollectionResource):
    """`GET` published events and one's own; `POST` a new one, which is then one's own."""

    schema = EventSchema
    includes = INCLUDES
    filters = {
        "id": Event.id,
        "identifier": Event.identifier,
        "name": Event.name,
        "state": Event.state,
        "starts-at": Event.starts_at,
        "ends-at": Event.ends_at,
    }
    sorts = {
        "id": Event.id,
        "name": Event.name,
        "starts-at": Event.starts_at,
        "ends-at": Event.ends_at,
        "created-at": Event.created_at,
    }
    data_layer = {"class": EventDataLayer, "session": db.session, "model": Event}

    def get_page(self) -> tuple[int, list[Event]]:
        count, page = list_events(current_caller(), g.query.page)
        return count, _with_people(page)


class EventDetail(DetailResource):
    """One event, by id or identifier."""

    schema = EventSchema
    includes = INCLUDES

    def find(self, event: str) -> Event:
        return _with_people([read_event(event, current_caller())])[0]

    def change(self, data: dict[str, Any], event: str) -> Event:
        return change_event(event, data, current_caller())

    def delete(self, event: str) -> dict[str, Any]:
        delete_event(event, current_caller(), current_app.extensions["stripe"])
        return {"meta": {"message": "Object successfully deleted"}}


def _with_people(events: list[Event]) -> list[Event]:
    if PEOPLE & set(g.query.include):
        add_people(events)
    return events
