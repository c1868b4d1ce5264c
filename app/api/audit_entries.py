"""`audit-entry`: who did what to keys, links and roles."""

from flask import g
from marshmallow_jsonapi import fields

from app.auth.guard import current_caller
from app.jsonapi.fields import Moment, Text
from app.jsonapi.resources import CollectionResource, Schema, dasherize
from app.models import AuditEntry
from app.services.audit import list_entries


class AuditEntrySchema(Schema):
    """An action that was recorded."""

    class Meta:
        type_ = "audit-entry"
        inflect = dasherize

    id = fields.Str(dump_only=True)
    at = Moment(dump_only=True)
    action = Text(dump_only=True)
    subject = Text(dump_only=True)
    user_id = fields.Str(dump_only=True)
    event_id = fields.Str(dump_only=True)
    request_id = Text(dump_only=True)


class AuditEntryList(CollectionResource):
    """`GET` the trail, newest first. Entries are written by the actions themselves."""

    schema = AuditEntrySchema
    filters = {
        "action": AuditEntry.action,
        "user-id": AuditEntry.user_id,
        "event-id": AuditEntry.event_id,
    }
    sorts = {"at": AuditEntry.at, "id": AuditEntry.id}

    def get_page(self) -> tuple[int, list[AuditEntry]]:
        return list_entries(current_caller(), g.query.page)
