"""`audit-entry`: who did what to keys, links and roles."""

from flask import g

from app.api.jsonapi import Listing
from app.api.schemas import AuditEntrySchema
from app.auth import current_caller
from app.models import AuditEntry
from app.services.audit import list_entries


class AuditEntryList(Listing):
    """`GET` the trail, newest first. Nothing writes here but the deeds themselves."""

    schema = AuditEntrySchema
    filters = {
        "action": AuditEntry.action,
        "user-id": AuditEntry.user_id,
        "event-id": AuditEntry.event_id,
    }
    sorts = {"at": AuditEntry.at, "id": AuditEntry.id}

    def get_page(self) -> tuple[int, list[AuditEntry]]:
        return list_entries(current_caller(), g.query.page)
