"""`stripe-link-attempt`: the history of connecting an event."""

from flask import g
from marshmallow_jsonapi import fields

from app.api.user_schema import UserSchema, to_user
from app.auth.guard import current_caller
from app.jsonapi.fields import Flag, Moment, Text
from app.jsonapi.resources import CollectionResource, Schema, dasherize
from app.models import StripeLinkAttempt
from app.services.linking.attempts import AttemptView, list_attempts


class StripeLinkAttemptSchema(Schema):
    """An entry of the history of an event's attempts to link an account."""

    class Meta:
        type_ = "stripe-link-attempt"
        inflect = dasherize

    id = fields.Str(dump_only=True)
    outcome = Text(dump_only=True)
    error_code = Text(dump_only=True)
    detail = Text(dump_only=True)
    livemode = Flag(dump_only=True)
    state_checked = Flag(dump_only=True)
    started_at = Moment(dump_only=True)
    finished_at = Moment(dump_only=True)
    user = to_user()


class EventStripeLinkAttempts(CollectionResource):
    """The history of an event's attempts to link an account."""

    schema = StripeLinkAttemptSchema
    includes = {"user": UserSchema}
    sorts = {
        "started-at": StripeLinkAttempt.started_at,
        "finished-at": StripeLinkAttempt.finished_at,
    }

    def get_page(self, event: str) -> tuple[int, list[AttemptView]]:
        return list_attempts(event, current_caller(), g.query.page)
