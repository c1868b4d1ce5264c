"""Bringing users into our table."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from app.importing import target
from app.importing.facts import Mapped, Omitted, Refused, Remark, Unreadable, UserFacts, refuse
from app.importing.merging import merge
from app.importing.target import Run
from app.importing.users import FIELDS, map_user
from app.models import User

TABLE = target.USERS
UNREADABLE = refuse("unreadable-text", "not imported: its text is not UTF-8")


def write_users(
    run: Run, batch: Sequence[UserFacts | Unreadable], twins: Mapping[int, int] | None = None
) -> None:
    """
    Bring a batch of users, in the current transaction, and report on them.

    *twins* names those whose address another user there has too, with the one to keep.
    """
    known = target.find_known(run.session, TABLE, [facts.id for facts in batch])
    columns = (*FIELDS, "password_changed_at")
    ours = target.find_ours(run.session, User, [facts.id for facts in batch], columns)
    results = {facts.id: _judge(run, facts, facts.id in known) for facts in batch}
    holders = _holders(run, results)
    fresh: dict[int, Mapped] = {}
    for user_id, result in results.items():
        if isinstance(result, Omitted):
            run.report.omit(TABLE, result.label)
        elif isinstance(result, Refused):
            run.report.refuse(TABLE, user_id, result.remark)
        elif user_id in known:
            if user_id in ours:
                _update(run, user_id, result, ours[user_id], known[user_id], holders)
        elif refusal := _find_obstacle(user_id, result, ours, holders, twins or {}):
            run.report.refuse(TABLE, user_id, refusal)
        else:
            holders[result.values["email"]] = user_id
            fresh[user_id] = result
    _insert(run, fresh)


def _judge(run: Run, facts: UserFacts | Unreadable, is_known: bool) -> Mapped | Refused | Omitted:
    if isinstance(facts, Unreadable):
        return UNREADABLE
    return map_user(facts, with_admin_rights=run.with_admin_rights, is_known=is_known)


def _holders(run: Run, results: Mapping[int, Any]) -> dict[str, int]:
    """Return who has the addresses of the batch here."""
    emails = [each.values["email"] for each in results.values() if isinstance(each, Mapped)]
    statement = select(User.email, User.id).where(User.email.in_(emails))
    return dict(run.session.execute(statement).all())


def _find_obstacle(
    user_id: int,
    result: Mapped,
    ours: Mapping[int, Any],
    holders: Mapping[str, int],
    twins: Mapping[int, int],
) -> Remark | None:
    """Return why a new user cannot be imported."""
    if user_id in ours:
        return Remark("id-taken", "not imported: another user has this id here")
    kept = twins.get(user_id, user_id)
    if kept != user_id:
        return Remark("address-twice", f"not imported: user {kept} has the same address there")
    holder = holders.get(result.values["email"])
    if holder is not None:
        return Remark("address-taken", f"not imported: user {holder} has the same address here")
    return None


def _insert(run: Run, fresh: Mapping[int, Mapped]) -> None:
    rows = [
        {
            **result.values,
            "id": user_id,
            "created_at": result.values["created_at"] or run.moment,
        }
        for user_id, result in fresh.items()
    ]
    taken = Remark("address-taken", "not imported: another user was created just now")
    inserted = target.bring_new(run, TABLE, User, FIELDS, fresh, rows, taken)
    for user_id, result in fresh.items():
        if user_id in inserted:
            _note_administrator(run, user_id, result)


def _update(
    run: Run,
    user_id: int,
    result: Mapped,
    ours: Mapping[str, Any],
    digests: str,
    holders: dict[str, int],
) -> None:
    """
    Bring what has changed there since.

    That a password was hashed anew at a sign-in is no change of it here.
    """
    held, taken = set(run.held_fields), None
    if holders.get(result.values["email"], user_id) != user_id:
        held.add("email")
        taken = Remark("address-taken", "its new address belongs to another user here")
    untouched = () if ours["password_changed_at"] else ("password_hash",)
    merged = merge(FIELDS, result.values, ours, digests, run.digester, held, untouched)
    if "email" in merged.changes:
        holders[merged.changes["email"]] = user_id
    if merged.changes:
        run.session.connection().execute(
            update(User.__table__).where(User.id == user_id).values(_changes(merged.changes, run))
        )
    if merged.digests != digests:
        target.remember(run.session, TABLE, {user_id: merged.digests})
    run.report.count(TABLE, "updated" if merged.changes else "unchanged")
    _note_administrator(run, user_id, result)
    tell_merged(run, TABLE, user_id, result.remarks, merged.conflicts, taken)


def _changes(changes: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """A password or a block that is brought ends every session, as one that is made here does."""
    values = dict(changes)
    if "created_at" in values:
        values["created_at"] = values["created_at"] or run.moment
    if "password_hash" in values or values.get("is_blocked") or values.get("deleted_at"):
        values["session_generation"] = User.session_generation + 1
    return values


def _note_administrator(run: Run, user_id: int, result: Mapped) -> None:
    if result.values["is_admin"] or result.values["is_super_admin"]:
        run.report.administrators.append((user_id, result.values["email"]))


def tell_merged(
    run: Run,
    table: str,
    row_id: int,
    remarks: Sequence[Remark],
    conflicts: Sequence[str],
    taken: Remark | None = None,
) -> None:
    """
    Report a row that is here, and as not imported if changes of it were not brought: because both
    sides made some, or because another row here has a value (*taken*).
    """
    remarks = [*remarks, taken] if taken is not None else remarks
    if taken is not None and not conflicts:
        run.report.refuse(table, row_id, *remarks)
        return
    if not conflicts:
        run.report.tell(table, row_id, remarks)
        return
    names = ", ".join(conflicts)
    changed = Remark("changed-on-both-sides", f"left as it is here: {names}")
    run.report.not_imported += 1
    run.report.count(table, "changed on both sides")
    run.report.tell(table, row_id, [*remarks, changed])
