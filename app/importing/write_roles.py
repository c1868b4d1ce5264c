"""Bringing roles into our table, and taking away those that were taken away there."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import select, tuple_

from app.importing import target
from app.importing.facts import Omitted, RoleFacts
from app.importing.roles import map_role
from app.importing.target import Run
from app.models import AuditEntry, ImportedRole, UsersEventsRole

TABLE = target.ROLES
NAMES = ("event_id", "user_id", "role")
PAGE = 1000
Key = tuple[int, int]  # event and user
LAST_ID = 2**31 - 1
NOWHERE: Key = (0, 0)
EVERYWHERE: Key = (LAST_ID, LAST_ID)


def in_batches(roles: Iterable[RoleFacts], size: int = PAGE) -> Iterator[list[RoleFacts]]:
    """Yield *roles* in batches that never part the roles of one user at one event."""
    batch: list[RoleFacts] = []
    for _, of_one in groupby(roles, key=_key):
        batch += of_one
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def write_all_roles(run: Run, roles: Iterable[RoleFacts]) -> Iterator[int]:
    """
    Bring all roles, in the current transaction; yield how many each step has brought along.

    *roles* are sorted by event and user. What was brought before and is not among them any more
    was taken away there, and is taken away here.
    """
    after = NOWHERE
    for batch in in_batches(roles):
        write_roles(run, batch, after, _key(batch[-1]))
        after = _key(batch[-1])
        yield len(batch)
    write_roles(run, [], after, EVERYWHERE)


def write_roles(run: Run, batch: Sequence[RoleFacts], after: Key, until: Key) -> None:
    """
    Bring the roles between two keys (the first one excluded): *batch* is all there are there.

    A role that was brought before and taken away here does not come back.
    """
    wanted = _that_come(run, batch)
    gone = _take_away(run, wanted, after, until)
    _give(run, wanted, _brought(run, wanted), gone)


def match_roles(run: Run, event_id: int, roles: Sequence[RoleFacts]) -> None:
    """
    Let the event have the roles that it has there and no others, in the current transaction.

    Beside a running Open Event Server it alone gives and takes roles at its events.
    """
    wanted = _that_come(run, roles)
    gone = _take_away(run, wanted, (event_id, 0), (event_id, LAST_ID))
    if target.find_known(run.session, target.EVENTS, [event_id]):
        gone += _take_away_given_here(run, event_id, wanted)
    _give(run, wanted, set(), gone)


def _give(run: Run, wanted: set[RoleFacts], brought: set[RoleFacts], gone: int) -> None:
    """Give what is *wanted*, was not *brought* before and is not there; report on all of it."""
    fresh = [role for role in wanted if role not in brought]
    given = _given_here(run, fresh)
    rows = [_row(role) for role in fresh if role not in given]
    target.insert_quietly(run.session, UsersEventsRole, rows)
    target.insert_quietly(run.session, ImportedRole, rows)
    run.report.count(TABLE, "imported", len(rows))
    run.report.count(TABLE, "taken away", gone)
    run.report.count(TABLE, "unchanged", len(wanted) - len(rows))


def _that_come(run: Run, batch: Sequence[RoleFacts]) -> set[RoleFacts]:
    events = target.find_known(run.session, target.EVENTS, {role.event_id for role in batch})
    users = target.find_known(run.session, target.USERS, {role.user_id for role in batch})
    wanted = set()
    for role in batch:
        result = map_role(role, imported_events=events, imported_users=users)
        if isinstance(result, Omitted):
            run.report.omit(TABLE, result.label)
        else:
            wanted.add(role)
    return wanted


def _brought(run: Run, wanted: set[RoleFacts]) -> set[RoleFacts]:
    return _among(run, ImportedRole, wanted)


def _given_here(run: Run, fresh: Sequence[RoleFacts]) -> set[RoleFacts]:
    """Return the roles that were given here before they came from there: they stay ours."""
    return _among(run, UsersEventsRole, fresh)


def _among(run: Run, model: type, roles: Iterable[RoleFacts]) -> set[RoleFacts]:
    columns = [getattr(model, name) for name in NAMES]
    event_ids = {role.event_id for role in roles}
    statement = select(*columns).where(columns[0].in_(event_ids))
    if len(event_ids) == 1:  # one that may have very many
        statement = statement.where(columns[1].in_({role.user_id for role in roles}))
    return {RoleFacts(*row) for row in run.session.execute(statement)}


def _take_away(run: Run, wanted: set[RoleFacts], after: Key, until: Key) -> int:
    """Take away what was brought from between the keys and is no longer wanted; say how many."""
    taken = 0
    while True:
        page = _page_of_brought(run, after, until)
        gone = [_row(role) for role in page if role not in wanted]
        target.delete_rows(run.session, UsersEventsRole, gone)
        target.delete_rows(run.session, ImportedRole, gone)
        _record(run, gone)
        taken += len(gone)
        if len(page) < PAGE:
            return taken
        after = _key(page[-1])


def _take_away_given_here(run: Run, event_id: int, wanted: set[RoleFacts]) -> int:
    """Take away what was given here and is not wanted; say how many."""
    columns = [getattr(UsersEventsRole, name) for name in NAMES]
    given = run.session.execute(select(*columns).where(UsersEventsRole.event_id == event_id))
    gone = [_row(role) for role in (RoleFacts(*row) for row in given) if role not in wanted]
    target.delete_rows(run.session, UsersEventsRole, gone)
    _record(run, gone)
    return len(gone)


def _page_of_brought(run: Run, after: Key, until: Key) -> list[RoleFacts]:
    """Return the next roles that were brought, whole users at a time."""
    key = tuple_(ImportedRole.event_id, ImportedRole.user_id)
    statement = (
        select(ImportedRole.event_id, ImportedRole.user_id, ImportedRole.role)
        .where(key > after, key <= until)
        .order_by(ImportedRole.event_id, ImportedRole.user_id, ImportedRole.role)
    )
    page = [RoleFacts(*row) for row in run.session.execute(statement.limit(PAGE))]
    if len(page) == PAGE:  # the last user's may be cut off
        rest = statement.where(key == _key(page[-1]), ImportedRole.role > page[-1].role)
        page += [RoleFacts(*row) for row in run.session.execute(rest)]
    return page


def _record(run: Run, gone: Sequence[dict[str, Any]]) -> None:
    rows = [
        {
            "action": "users-events-role.delete",
            "subject": f"user {role['user_id']} as {role['role']}",
            "event_id": role["event_id"],
        }
        for role in gone
    ]
    if rows:
        run.session.connection().execute(AuditEntry.__table__.insert(), rows)


def _key(role: RoleFacts) -> Key:
    return role.event_id, role.user_id


def _row(role: RoleFacts) -> dict[str, Any]:
    return {"event_id": role.event_id, "user_id": role.user_id, "role": role.role}
