"""What becomes of a role of Open Event Server."""

from collections.abc import Container

from app.importing.facts import Mapped, Omitted, RoleFacts

ROLES = ("owner", "organizer", "coorganizer")


def map_role(
    facts: RoleFacts, *, imported_events: Container[int], imported_users: Container[int]
) -> Mapped | Omitted:
    """
    Return what becomes of a role; it comes only if its event and its user have come.

    A row with their id that was not imported is another one.
    """
    if facts.role not in ROLES:
        return Omitted(f"roles named {facts.role}")
    if facts.event_id not in imported_events or facts.user_id not in imported_users:
        return Omitted("roles of events or users that did not come")
    return Mapped({"event_id": facts.event_id, "user_id": facts.user_id, "role": facts.role})
