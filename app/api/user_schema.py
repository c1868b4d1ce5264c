"""`user`: the members of a person, and who sees which."""

from marshmallow_jsonapi import fields

from app.auth.policy import ADMIN, COORGANIZER
from app.jsonapi.fields import Flag, Moment, Related, Text
from app.jsonapi.resources import Schema, dasherize


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


def to_user() -> Related:
    """Linkage to the user whose id the resource has."""
    return Related(
        type_="user",
        schema=UserSchema,
        allow_none=True,
        include_resource_linkage=True,
        related_url="/v1/users/{id}",
        related_url_kwargs={"id": "<user_id>"},
    )
