"""Bringing the platform's keys into our settings."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.clock import database_now
from app.importing import target
from app.importing.facts import Remark, SettingsFacts, Unreadable
from app.importing.merging import merge, unpack
from app.importing.platform_keys import FIELDS, PlatformKeys, choose_settings, map_keys, other_rows
from app.importing.target import Run
from app.importing.write_users import UNREADABLE
from app.models import Setting
from app.services import audit

TABLE = target.SETTINGS
OUR_ROW = 1


def lock_settings(session: Session) -> Setting:
    """Return our settings, locked until the transaction ends."""
    statement = select(Setting).where(Setting.id == OUR_ROW).with_for_update(key_share=True)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def write_keys(
    run: Run, rows: Sequence[SettingsFacts | Unreadable], settings_id: int | None
) -> None:
    """
    Bring the keys of the row that counts, in the current transaction, and report on the rows.

    Raises LookupError if there is no row of *settings_id*.
    """
    for row in rows:
        if isinstance(row, Unreadable):
            run.report.refuse(TABLE, row.id, UNREADABLE.remark)
    readable = [row for row in rows if isinstance(row, SettingsFacts)]
    if settings_id is not None and settings_id not in {row.id for row in readable}:
        raise LookupError(settings_id)
    chosen, refusals = choose_settings(readable, settings_id)
    for row_id, refusal in refusals.items():
        run.report.refuse(TABLE, row_id, refusal.remark)
    if chosen is None:
        return
    for row_id, remark in other_rows(readable, chosen).items():
        run.report.tell(TABLE, row_id, [remark])
    _write(run, chosen.id, map_keys(chosen))


def _write(run: Run, row_id: int, keys: PlatformKeys) -> None:
    setting = lock_settings(run.session)
    ours = {name: getattr(setting, name) for name in FIELDS}
    digests = target.find_known(run.session, TABLE, [OUR_ROW]).get(OUR_ROW)
    if digests is None:
        digests = run.digester.pack(FIELDS, dict.fromkeys(FIELDS))
    had_keys = any(ours.values())
    merged = merge(FIELDS, keys.values, ours, digests, run.digester)
    for name, value in merged.changes.items():
        setattr(setting, name, value)
        audit.record("settings.change", name.replace("_", "-"))
    if not had_keys and merged.changes:
        _follow_mode(run, setting, keys.livemode_in_force)
    if merged.changes:
        setting.updated_at = run.session.scalar(select(database_now()))
    run.session.flush()
    target.remember(run.session, TABLE, {OUR_ROW: merged.digests})
    _report(run, row_id, keys, merged.changes, _differing(run, merged.conflicts, digests))


def _follow_mode(run: Run, setting: Setting, livemode: bool | None) -> None:
    """Take the mode of the pair that is in force there."""
    if livemode is None:
        return
    mode = "production" if livemode else "debug"
    if setting.stripe_mode != mode:
        setting.stripe_mode = mode
        audit.record("settings.change", f"stripe-mode={mode}")
    run.report.mode = mode


def _differing(run: Run, conflicts: Sequence[str], digests: str) -> list[Remark]:
    """Say of the keys that stay as they are here why: they never came, or changed on both sides."""
    brought = unpack(FIELDS, digests)
    found = []
    for name in conflicts:
        never = brought.get(name) == run.digester.digest(name, None)
        reason = "key-taken" if never else "changed-on-both-sides"
        found.append(Remark(reason, f"{name} not imported: another one is set here"))
    return found


def _report(
    run: Run, row_id: int, keys: PlatformKeys, changes: dict[str, object], differing: list[Remark]
) -> None:
    lost = [remark for remark in keys.remarks if remark.reason == "key-not-imported"] + differing
    remarks = [*keys.remarks, *differing]
    run.report.count(TABLE, "keys imported", len(changes))
    if lost:
        run.report.refuse(TABLE, row_id, *remarks)
    else:
        run.report.tell(TABLE, row_id, remarks)
