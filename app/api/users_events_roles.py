"""`users-events-role`: who may do what at an event."""

from typing import Any

from flask import g
from flask_rest_jsonapi_next.data_layers.alchemy import SqlalchemyDataLayer

from app.api.jsonapi import Detail, Listing
from app.api.schemas import UserSchema, UsersEventsRoleSchema
from app.auth import current_caller
from app.extensions import db
from app.models import UsersEventsRole
from app.services.roles import give_role, list_roles, take_role


class RoleDataLayer(SqlalchemyDataLayer):
    """The library's data layer, with our service in the place of a bare INSERT."""

    def create_object(self, data: dict[str, Any], view_kwargs: dict[str, Any]) -> UsersEventsRole:
        return give_role(
            data["event"],
            current_caller(),
            role=data["role"],
            user_reference=data.get("user"),
            email=data.get("email"),
        )


class UsersEventsRoleList(Listing):
    """`POST` to give a role; reading is per event."""

    schema = UsersEventsRoleSchema
    data_layer = {"class": RoleDataLayer, "session": db.session, "model": UsersEventsRole}


class UsersEventsRoleDetail(Detail):
    """One role, to be taken away."""

    schema = UsersEventsRoleSchema

    def delete(self, role: str) -> dict[str, Any]:
        take_role(role, current_caller())
        return {"meta": {"message": "Object successfully deleted"}}


class EventUsersEventsRoles(Listing):
    """The roles at an event."""

    schema = UsersEventsRoleSchema
    includes = {"user": UserSchema}
    filters = {"role": UsersEventsRole.role}
    sorts = {"id": UsersEventsRole.id, "role": UsersEventsRole.role}

    def get_page(self, event: str) -> tuple[int, list[UsersEventsRole]]:
        return list_roles(event, current_caller(), g.query.page)
