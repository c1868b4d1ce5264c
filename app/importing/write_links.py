"""Bringing links into our table: secrets sealed, and their codes known as spent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import select, update

from app.db.types import FIRST_OWN_ID
from app.importing import target
from app.importing.facts import LinkFacts, Mapped, Refused, Remark, Unreadable
from app.importing.link_rows import (
    LinkSettings,
    attempt_row,
    link_row,
    sealed_tokens,
    stored_code,
)
from app.importing.links import FIELDS, IDENTITY, map_links
from app.importing.merging import Merge, merge, unpack
from app.importing.target import Run
from app.importing.write_users import UNREADABLE, tell_merged
from app.models import StripeAuthorization, StripeLinkAttempt

TABLE = target.LINKS
PAGE = 500


def in_groups(
    links: Iterable[LinkFacts | Unreadable], size: int = PAGE
) -> Iterator[list[LinkFacts | Unreadable]]:
    """Yield *links* in batches that never part those of one event."""
    batch: list[LinkFacts | Unreadable] = []
    for event_id, of_event in groupby(links, key=_event_of):
        for each in of_event:
            batch.append(each)
            if event_id is None and len(batch) >= size:  # of no event: nothing to keep together
                yield batch
                batch = []
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def write_links(run: Run, batch: Sequence[LinkFacts | Unreadable], platform: LinkSettings) -> None:
    """Bring a batch of links, all that their events have, in the current transaction."""
    ids = [facts.id for facts in batch]
    known = target.find_known(run.session, TABLE, ids)
    ours = _find_ours(run, ids)
    results = _judge(run, batch, platform, [key for key in known if key in ours])
    event_ids = {each.values["event_id"] for each in results.values() if isinstance(each, Mapped)}
    imported_events = target.find_known(run.session, target.EVENTS, event_ids)
    held = _find_links_at(run, event_ids)
    fresh: dict[int, Mapped] = {}
    for link_id, result in results.items():
        if link_id in known:
            if link_id in ours:  # one that was disconnected here stays so
                _update(run, ours[link_id], result, known[link_id])
        elif link_id in ours and link_id >= FIRST_OWN_ID:
            continue  # made here, and mirrored there
        elif isinstance(result, Refused):
            run.report.refuse(TABLE, link_id, result.remark)
        elif refusal := _find_obstacle(link_id, result, ours, held, imported_events):
            run.report.refuse(TABLE, link_id, refusal)
        else:
            fresh[link_id] = result
    _insert(run, fresh, platform)


def _judge(
    run: Run, batch: Sequence[LinkFacts | Unreadable], platform: LinkSettings, known: Sequence[int]
) -> dict[int, Mapped | Refused]:
    results: dict[int, Mapped | Refused] = {}
    for _, group in groupby(batch, key=_event_of):
        of_event = list(group)
        found = map_links(
            [facts for facts in of_event if isinstance(facts, LinkFacts)],
            client_ids=platform.client_ids,
            taken=run.taken,
            known=known,
        )
        results.update({key: platform.with_digest(each) for key, each in found.items()})
        results.update({each.id: UNREADABLE for each in of_event if isinstance(each, Unreadable)})
    return results


def _event_of(facts: LinkFacts | Unreadable) -> int | None:
    return facts.event_id


def _find_ours(run: Run, ids: Sequence[int]) -> dict[int, StripeAuthorization]:
    """Return our links by id, not kept in the session: there may be a million."""
    found = run.session.scalars(
        select(StripeAuthorization).where(StripeAuthorization.id.in_(ids))
    ).all()
    for link in found:
        run.session.expunge(link)
    return {link.id: link for link in found}


def _find_links_at(run: Run, event_ids: Iterable[int]) -> dict[tuple[int, bool], tuple[int, str]]:
    """Return the links that the events have here: event and mode → id and account."""
    row = StripeAuthorization
    rows = run.session.execute(
        select(row.event_id, row.livemode, row.id, row.stripe_user_id).where(
            row.event_id.in_(event_ids)
        )
    )
    return {(each.event_id, each.livemode): (each.id, each.stripe_user_id) for each in rows}


def _find_obstacle(
    link_id: int,
    result: Mapped,
    ours: Mapping[int, Any],
    held: Mapping[tuple[int, bool], tuple[int, str]],
    imported_events: Mapping[int, str],
) -> Remark | None:
    """Return why a new link cannot be imported."""
    event_id = result.values["event_id"]
    if event_id not in imported_events:
        return Remark("event-not-imported", f"not imported: event {event_id} did not come")
    if link_id in ours:
        return Remark("id-taken", "not imported: another link has this id here")
    if (event_id, result.values["livemode"]) not in held:
        return None
    other_id, account_id = held[event_id, result.values["livemode"]]
    if account_id == result.values["stripe_user_id"]:
        return Remark("linked-here", f"not imported: link {other_id} here is to the same account")
    return Remark(
        "other-account-here", f"not imported: link {other_id} here is to another account; it stays"
    )


def _insert(run: Run, fresh: Mapping[int, Mapped], platform: LinkSettings) -> None:
    rows = [link_row(key, result.values, platform, run.moment) for key, result in fresh.items()]
    taken = Remark("linked-here", "not imported: its event was linked here just now")
    inserted = target.bring_new(run, TABLE, StripeAuthorization, FIELDS, fresh, rows, taken)
    attempts = [
        attempt_row(link_id, result.values, run.moment)
        for link_id, result in fresh.items()
        if link_id in inserted and result.values["stripe_auth_code"] is not None
    ]
    target.insert_quietly(run.session, StripeLinkAttempt, attempts)


def _update(run: Run, ours: StripeAuthorization, result: Mapped | Refused, digests: str) -> None:
    """
    Bring what has changed there of a link that came before, if it is still the one that came.

    Event, mode and account are never changed: a link that was moved there is reported.
    """
    if isinstance(result, Refused):
        if result.remark.reason not in ("event-deleted", "deleted"):  # the event's deletion decides
            stays = Remark(result.remark.reason, "its link here stays as it is")
            run.report.refuse(TABLE, ours.id, stays)
        return
    brought = unpack(FIELDS, digests)
    moved = [
        name for name in IDENTITY if run.digester.digest(name, result.values[name]) != brought[name]
    ]
    if moved:
        names = ", ".join(moved)
        run.report.refuse(
            TABLE, ours.id, Remark("moved", f"left as it is here: {names} changed there")
        )
        return
    merged = Merge({}, (), digests)
    is_same = all(getattr(ours, name) == result.values[name] for name in IDENTITY)
    if is_same and run.digester.pack(FIELDS, result.values) != digests:  # else nothing is opened
        merged = _merge(run, ours, result.values, digests)
    run.report.count(TABLE, "updated" if merged.changes else "unchanged")
    tell_merged(run, TABLE, ours.id, result.remarks, merged.conflicts)


def _merge(run: Run, ours: StripeAuthorization, theirs: Mapping[str, Any], digests: str) -> Merge:
    """Bring the tokens, key and code that changed there and not here."""
    kept = {name: getattr(ours, name) for name in FIELDS}
    merged = merge(FIELDS, theirs, kept, digests, run.digester)
    if merged.changes:
        sealed = {
            name: each for name, each in sealed_tokens(theirs).items() if name in merged.changes
        }
        row = {**merged.changes, **sealed}
        if "stripe_auth_code" in row:
            row["stripe_auth_code"] = stored_code(row["stripe_auth_code"])
        table = StripeAuthorization.__table__
        run.session.connection().execute(update(table).where(table.c.id == ours.id).values(row))
        if merged.changes.get("stripe_auth_code"):
            attempt = attempt_row(ours.id, theirs, run.moment)
            target.insert_quietly(run.session, StripeLinkAttempt, [attempt])
    if merged.digests != digests:
        target.remember(run.session, TABLE, {ours.id: merged.digests})
    return merged
