"""What Open Event Server's database should hold now."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from app.clients.open_event import MirroredLink, MirrorState
from app.db.reads import read
from app.db.types import FIRST_OWN_ID
from app.extensions import db
from app.models import Event, ImportedRow, StripeAuthorization
from app.services.platform.registration import CURRENT_MODE


@dataclass(frozen=True)
class Unmirrored:
    """A link that cannot be written there, and why."""

    link_id: int
    problem: str


def links_of_current_mode(event_ids: Iterable[int] | None = None) -> list[StripeAuthorization]:
    """Return the links that count by now, of these imported events or of all."""
    statement = (
        select(StripeAuthorization)
        .join(Event, Event.id == StripeAuthorization.event_id)
        .join(ImportedRow, (ImportedRow.source == "events") & (ImportedRow.id == Event.id))
        .where(StripeAuthorization.livemode == CURRENT_MODE, Event.deleted_at.is_(None))
        .execution_options(populate_existing=True)
    )
    if event_ids is not None:
        statement = statement.where(Event.id.in_(list(event_ids)))
    found = list(db.session.scalars(statement))
    for link in found:
        db.session.expunge(link)
    db.session.rollback()
    return found


def to_mirrored(link: StripeAuthorization, *, is_ours: bool) -> MirroredLink | Unmirrored:
    """
    Return the link as it is to stand there; *is_ours* says that its id cannot be another's there.

    Raises SecretUnreadable.
    """
    if not is_ours:
        return Unmirrored(link.id, "id-of-theirs")
    if not link.stripe_secret_key:
        return Unmirrored(link.id, "no-access-token")
    return MirroredLink(
        link.id, link.stripe_user_id, link.stripe_publishable_key, link.stripe_secret_key
    )


def own_ids(ids: Iterable[int]) -> frozenset[int]:
    """Return which of the ids of rows there are ours: given out here, or imported from there."""
    wanted = list(ids)
    imported = read(
        select(ImportedRow.id).where(
            ImportedRow.source == "stripe_authorizations", ImportedRow.id.in_(wanted)
        )
    )
    return frozenset({row.id for row in imported} | {id_ for id_ in wanted if id_ >= FIRST_OWN_ID})


def state_of(event_id: int, ids: frozenset[int]) -> tuple[MirrorState, Unmirrored | None]:
    """Return what is to stand there of the event, whose rows there are *ids*."""
    links = links_of_current_mode([event_id])
    ours = own_ids({*ids, *(link.id for link in links)})
    for link in links:
        found = to_mirrored(link, is_ours=link.id in ours)
        if isinstance(found, Unmirrored):
            return MirrorState(None, ours), found
        return MirrorState(found, ours), None
    return MirrorState(None, ours), None
