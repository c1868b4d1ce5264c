"""`users-events-role`: who may do what at an event."""

from typing import Any

from flask import g
from marshmallow import validate
from marshmallow_jsonapi import fields

from app.api.event_schema import to_event
from app.api.user_schema import UserSchema, to_user
from app.auth.guard import current_caller
from app.jsonapi.fields import Text
from app.jsonapi.resources import CollectionResource, DetailResource, Schema, dasherize
from app.models import UsersEventsRole
from app.services.events.roles import give_role, list_roles, take_role
from app.services.events.views import RoleView


class UsersEventsRoleSchema(Schema):
    """A user's role at an event; the user is named by linkage or by `email`."""

    class Meta:
        type_ = "users-events-role"
        inflect = dasherize

    id = fields.Str(dump_only=True)
    role = Text(
        required=True,
        validate=validate.OneOf(
            ["owner", "organizer", "coorganizer"],
            error="The role must be owner, organizer or coorganizer.",
        ),
    )
    email = Text(load_only=True, allow_none=True)
    user = to_user()
    event = to_event()


class UsersEventsRoleList(CollectionResource):
    """`POST` to give a role; reading is per event."""

    schema = UsersEventsRoleSchema

    def create_object(self, data: dict[str, Any], kwargs: dict[str, Any]) -> RoleView:
        return give_role(
            data["event"],
            current_caller(),
            role=data["role"],
            user_reference=data.get("user"),
            email=data.get("email"),
        )


class UsersEventsRoleDetail(DetailResource):
    """One role, to be taken away."""

    schema = UsersEventsRoleSchema

    def delete(self, role: str) -> dict[str, Any]:
        take_role(role, current_caller())
        return {"meta": {"message": "Object successfully deleted"}}


class EventUsersEventsRoles(CollectionResource):
    """The roles at an event."""

    schema = UsersEventsRoleSchema
    includes = {"user": UserSchema}
    filters = {"role": UsersEventsRole.role}
    sorts = {"id": UsersEventsRole.id, "role": UsersEventsRole.role}

    def get_page(self, event: str) -> tuple[int, list[RoleView]]:
        return list_roles(event, current_caller(), g.query.page)
