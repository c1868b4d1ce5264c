"""`event`: what the wizard needs."""

from typing import Any

from flask import current_app, g

from app.api.event_schema import EventSchema
from app.api.stripe_authorization_schema import StripeAuthorizationSchema
from app.api.user_schema import UserSchema
from app.auth.guard import current_caller
from app.jsonapi.resources import CollectionResource, DetailResource
from app.models import Event
from app.services.events.edit import change_event, create_event, delete_event
from app.services.events.queries import PEOPLE, list_events, read_event, with_people
from app.services.events.views import EventView

INCLUDES = {
    "stripe-authorization": StripeAuthorizationSchema,
    "owner": UserSchema,
    "organizers": UserSchema,
    "coorganizers": UserSchema,
}
# Relationships of Open Event Server's events that this service does not hold. Its frontend includes
# many of them at once: they are known, and bring nothing.
# fmt: off
HELD_ELSEWHERE = frozenset([
    "tickets", "faqs", "faq-types", "feedbacks", "ticket-tags", "microlocations", "social-links",
    "tracks", "sponsors", "speakers-call", "session-types", "event-copyright", "tax", "sessions",
    "speakers", "event-type", "event-topic", "event-sub-topic", "group", "custom-forms",
    "track-organizers", "moderators", "registrars", "order-statistics", "general-statistics",
    "exhibitors", "session-favourites", "speaker-invites", "station", "badge-forms", "tags",
    "event-invoices", "discount-codes", "orders", "role-invites", "access-codes", "attendees",
    "roles", "video-stream",
])
# fmt: on


class EventList(CollectionResource):
    """`GET` published events and one's own; `POST` a new one, which is then one's own."""

    schema = EventSchema
    includes = INCLUDES
    includes_nothing = HELD_ELSEWHERE
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

    def get_page(self) -> tuple[int, list[EventView]]:
        count, page = list_events(current_caller(), g.query.page)
        return count, _with_people(page)

    def create_object(self, data: dict[str, Any], kwargs: dict[str, Any]) -> EventView:
        return create_event(data, current_caller())


class EventDetail(DetailResource):
    """One event, by id or identifier."""

    schema = EventSchema
    includes = INCLUDES
    includes_nothing = HELD_ELSEWHERE

    def find(self, event: str) -> EventView:
        return _with_people([read_event(event, current_caller())])[0]

    def change(self, data: dict[str, Any], event: str) -> EventView:
        return change_event(event, data, current_caller())

    def delete(self, event: str) -> dict[str, Any]:
        delete_event(event, current_caller(), current_app.extensions["stripe"])
        return {"meta": {"message": "Object successfully deleted"}}


def _with_people(events: list[EventView]) -> list[EventView]:
    wanted = PEOPLE.keys() & set(g.query.include)
    return with_people(events, wanted) if wanted else events
