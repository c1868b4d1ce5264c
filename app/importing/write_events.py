"""Bringing events into our table."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from app.importing import target
from app.importing.events import FIELDS, map_event
from app.importing.facts import EventFacts, Mapped, Refused, Remark, Unreadable
from app.importing.merging import merge, unpack
from app.importing.target import Deletion, Run
from app.importing.write_users import UNREADABLE, tell_merged
from app.models import Event

TABLE = target.EVENTS


def write_events(
    run: Run,
    batch: Sequence[EventFacts | Unreadable],
    *,
    twins: Collection[str] = (),
) -> None:
    """
    Bring a batch of events, in the current transaction, and report on them.

    *twins* are identifiers that several events there have. An event that was deleted there since
    it came is not deleted yet: it joins `run.deletions`.
    """
    ids = [facts.id for facts in batch]
    known = target.find_known(run.session, TABLE, ids)
    ours = target.find_ours(run.session, Event, ids, FIELDS)
    results = {facts.id: _judge(facts, twins) for facts in batch}
    holders = _holders(run, results)
    fresh: dict[int, Mapped] = {}
    for event_id, result in results.items():
        if isinstance(result, Refused):
            run.report.refuse(TABLE, event_id, result.remark)
        elif event_id in known:
            if event_id in ours:
                _update(run, event_id, result, ours[event_id], known[event_id], holders)
        elif refusal := _find_obstacle(event_id, result, ours, holders):
            run.report.refuse(TABLE, event_id, refusal)
        else:
            holders[result.values["identifier"]] = event_id
            fresh[event_id] = result
    _insert(run, fresh)


def _judge(facts: EventFacts | Unreadable, twins: Collection[str]) -> Mapped | Refused:
    if isinstance(facts, Unreadable):
        return UNREADABLE
    return map_event(facts, is_twin=facts.identifier in twins)


def _holders(run: Run, results: Mapping[int, Mapped | Refused]) -> dict[str, int]:
    """Return which events have the identifiers of the batch here."""
    names = [each.values["identifier"] for each in results.values() if isinstance(each, Mapped)]
    statement = select(Event.identifier, Event.id).where(Event.identifier.in_(names))
    return dict(run.session.execute(statement).all())


def _find_obstacle(
    event_id: int, result: Mapped, ours: Mapping[int, Any], holders: Mapping[str, int]
) -> Remark | None:
    """Return why a new event cannot be imported."""
    if event_id in ours:
        return Remark("id-taken", "not imported: another event has this id here")
    holder = holders.get(result.values["identifier"])
    if holder is not None:
        return Remark("identifier-taken", f"not imported: event {holder} has its identifier here")
    return None


def _insert(run: Run, fresh: Mapping[int, Mapped]) -> None:
    rows = [
        {
            **result.values,
            "id": event_id,
            "created_at": result.values["created_at"] or run.moment,
        }
        for event_id, result in fresh.items()
    ]
    taken = Remark("identifier-taken", "not imported: another was created just now")
    target.bring_new(run, TABLE, Event, FIELDS, fresh, rows, taken)


def _update(
    run: Run,
    event_id: int,
    result: Mapped,
    ours: Mapping[str, Any],
    digests: str,
    holders: Mapping[str, int],
) -> None:
    """Bring what has changed there since."""
    held, taken = set(), None
    if holders.get(result.values["identifier"], event_id) != event_id:
        held.add("identifier")
        taken = Remark("identifier-taken", "another event has its new identifier here")
    is_deletion = _is_deletion(run, result, ours, digests)
    if is_deletion:
        held.add("deleted_at")
    merged = merge(FIELDS, result.values, ours, digests, run.digester, held)
    if merged.changes:
        changes = {**merged.changes}
        if "created_at" in changes:
            changes["created_at"] = changes["created_at"] or run.moment
        run.session.connection().execute(
            update(Event.__table__).where(Event.id == event_id).values(changes)
        )
    if merged.digests != digests:
        target.remember(run.session, TABLE, {event_id: merged.digests})
    if is_deletion:
        deletion = Deletion(event_id, result.values["deleted_at"], tuple(result.remarks))
        run.deletions.append(deletion)
        return
    run.report.count(TABLE, "updated" if merged.changes else "unchanged")
    tell_merged(run, TABLE, event_id, result.remarks, merged.conflicts, taken)


def _is_deletion(run: Run, result: Mapped, ours: Mapping[str, Any], digests: str) -> bool:
    """Whether the event was deleted there since it came, and is still here."""
    deleted_at = result.values["deleted_at"]
    if deleted_at is None or ours["deleted_at"] is not None:
        return False
    brought = unpack(FIELDS, digests).get("deleted_at")
    return brought == run.digester.digest("deleted_at", None)
