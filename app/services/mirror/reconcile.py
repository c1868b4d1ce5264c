"""Finding what Open Event Server's database does not hold as it should, and repairing it."""

from dataclasses import dataclass, field

from sqlalchemy import Select, select

from app.clients.open_event import EventThere, MirroredLink, MirrorError, OpenEventDatabase
from app.db.reads import read
from app.db.transactions import transaction
from app.db.types import FIRST_OWN_ID
from app.extensions import bound
from app.models import ImportedRow, StripeMirror
from app.security.crypto import SecretUnreadable
from app.services.mirror import outbox
from app.services.mirror.state import links_of_current_mode, to_mirrored

SENTENCES = {
    "foreign-row": "it has a row in stripe_authorizations there that is not ours. Decide which"
    " account is right, and delete the other's row there.",
    "id-of-theirs": "its link was made here before ids were kept apart. Disconnect it and connect"
    " it again.",
    "secret-unreadable": "its access token cannot be decrypted.",
}


@dataclass
class MirrorReport:
    """What was delivered, what was put right there, and what a person should know."""

    delivered: int = 0
    pending: int = 0
    put_right: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


def reconcile(*, only_due: bool) -> MirrorReport | None:
    """
    Deliver what is pending, then compare all that stands there with what is linked here.

    None without a mirror. A database that is away leaves everything pending.
    """
    courier = bound("mirror")
    if courier is None:
        return None
    database: OpenEventDatabase = courier.database
    report = MirrorReport()
    before = outbox.pending(only_due)
    report.delivered = sum(outbox.deliver(event_id, database) for event_id in before)
    try:
        _compare(report, database)
        tables = database.superfluous_rights()
    except MirrorError as error:
        report.problems.append(str(error))
        tables = []
    if tables:
        report.hints.append(
            "The role of OPEN_EVENT_DATABASE_URL may write more than the mirror needs, for one:"
            f" {', '.join(tables)}. docs/open-event.md shows the rights it should have."
        )
    report.pending = len(outbox.pending())
    report.problems += _problems()
    return report


def _compare(report: MirrorReport, database: OpenEventDatabase) -> None:
    there = database.read()
    wrong = sorted(_find_wrong(there))
    if not wrong:
        return
    with transaction() as session:
        outbox.enqueue(session, wrong)
    for event_id in wrong:
        if outbox.deliver(event_id, database):
            report.put_right.append(event_id)


def _find_wrong(there: dict[int, EventThere]) -> set[int]:
    """Return the events of which something else stands there than is linked here."""
    known = _problem_events()
    expected: dict[int, tuple[MirroredLink, ...]] = {}
    rows = read(select(ImportedRow.id).where(ImportedRow.source == "stripe_authorizations"))
    brought = {row.id for row in rows}

    def is_ours(link_id: int) -> bool:
        return link_id >= FIRST_OWN_ID or link_id in brought

    for link in links_of_current_mode():
        try:
            found = to_mirrored(link, is_ours=is_ours(link.id))
        except SecretUnreadable:
            continue
        expected[link.event_id] = (found,) if isinstance(found, MirroredLink) else ()
    mirrored = {row.event_id for row in read(select(StripeMirror.event_id))}
    imported = {
        row.id for row in read(select(ImportedRow.id).where(ImportedRow.source == "events"))
    }
    wrong = {event_id for event_id, links in expected.items() if links and event_id not in there}
    for event_id, event in there.items():
        is_known = event_id in expected or event_id in mirrored
        if event_id not in imported or not (
            is_known or any(is_ours(each.id) for each in event.links)
        ):
            continue
        links = expected.get(event_id, ())
        if event.links != links or event.is_marked is not bool(links):
            wrong.add(event_id)
    return wrong - known


def _problem_events() -> set[int]:
    """Return the events that were tried just now, and need a person."""
    return {row.event_id for row in read(_needing_a_person())}


def _needing_a_person() -> Select[int, str | None]:
    row = StripeMirror
    return select(row.event_id, row.problem).where(row.needs_person).order_by(row.event_id)


def _problems() -> list[str]:
    return [
        f"Event {row.event_id} is not mirrored to Open Event Server:"
        f" {SENTENCES.get(row.problem or '', row.problem)}"
        for row in read(_needing_a_person())
    ]
