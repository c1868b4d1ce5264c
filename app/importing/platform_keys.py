"""What becomes of the platform's keys in Open Event Server's settings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.importing.facts import Refused, Remark, SettingsFacts, refuse
from app.importing.links import livemode_of

CLIENT_ID = re.compile(r"ca_[A-Za-z0-9_]{1,250}", re.ASCII)
KINDS = {"secret_key": ("sk_", "rk_"), "publishable_key": ("pk_",)}
PREFIXES = {True: "stripe_", False: "stripe_test_"}
FIELDS = tuple(
    f"{prefix}{name}"
    for prefix in PREFIXES.values()
    for name in ("client_id", "secret_key", "publishable_key")
)


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """The keys by our names, and whether the pair that is in force there is of live mode."""

    values: dict[str, str | None] = field(repr=False)
    livemode_in_force: bool | None
    remarks: tuple[Remark, ...] = ()


def choose_settings(
    rows: Sequence[SettingsFacts], settings_id: int | None
) -> tuple[SettingsFacts | None, dict[int, Refused]]:
    """
    Return the row whose keys count, and why the others do not.

    One row counts. Of several it is the only one of `production`, unless *settings_id* names one.
    """
    if settings_id is not None:
        chosen = [row for row in rows if row.id == settings_id]
    elif len(rows) == 1:
        chosen = list(rows)
    else:
        chosen = [row for row in rows if row.app_environment == "production"]
    if len(chosen) == 1:
        return chosen[0], {}
    action = "not imported: say with --settings-id which of the rows counts"
    return None, {row.id: refuse("several-settings", action) for row in rows}


def other_rows(rows: Sequence[SettingsFacts], chosen: SettingsFacts) -> dict[int, Remark]:
    """
    Return what to know of the rows beside *chosen* that hold keys.

    Administrators of Open Event Server always edit row 1, whichever row is in force.
    """
    found = {}
    for row in rows:
        if row.id != chosen.id and any(_keys(row).values()) and _keys(row) != _keys(chosen):
            edited = "; it is the row that administrators edit there" if row.id == 1 else ""
            found[row.id] = Remark("other-keys", f"left out: row {chosen.id} counts{edited}")
    return found


def map_keys(row: SettingsFacts) -> PlatformKeys:
    """Return the keys of *row*, each in the mode that its prefix tells, whatever its field says."""
    values: dict[str, str | None] = dict.fromkeys(FIELDS)
    remarks: list[Remark] = []
    for column_livemode in PREFIXES:
        _place_three(_keys(row), column_livemode, values, remarks)
    return PlatformKeys(values, _livemode_in_force(row), tuple(remarks))


def _keys(row: SettingsFacts) -> dict[str, str | None]:
    return {name: (getattr(row, name) or "").strip() or None for name in FIELDS}


def _place_three(
    keys: Mapping[str, str | None],
    column_livemode: bool,
    values: dict[str, str | None],
    remarks: list[Remark],
) -> None:
    """Place client id, secret and publishable key of one mode's fields."""
    prefix = PREFIXES[column_livemode]
    for name, kinds in KINDS.items():
        key = keys[f"{prefix}{name}"]
        if key is None:
            continue
        livemode = livemode_of(key)
        if livemode is None or not key.startswith(kinds):
            remarks.append(_not_placed(f"{prefix}{name}", "its prefix tells no mode and kind"))
        else:
            _place(f"{PREFIXES[livemode]}{name}", key, f"{prefix}{name}", values, remarks)
    client_id = keys[f"{prefix}client_id"]
    if client_id is None:
        return
    if CLIENT_ID.fullmatch(client_id) is None:
        remarks.append(_not_placed(f"{prefix}client_id", "it is not a client id"))
        return
    told = livemode_of(keys[f"{prefix}secret_key"])
    livemode = column_livemode if told is None else told
    _place(f"{PREFIXES[livemode]}client_id", client_id, f"{prefix}client_id", values, remarks)


def _place(slot: str, key: str, column: str, values: dict[str, Any], remarks: list[Remark]) -> None:
    if values[slot] not in (None, key):
        remarks.append(_not_placed(column, f"{slot} holds another value already"))
        return
    values[slot] = key
    if slot != column:
        remarks.append(Remark("key-moved", f"{column} imported as {slot}, where it belongs"))


def _not_placed(column: str, why: str) -> Remark:
    return Remark("key-not-imported", f"{column} not imported: {why}")


def _livemode_in_force(row: SettingsFacts) -> bool | None:
    """Return the mode of the pair that Open Event Server uses; None if it uses none."""
    keys = _keys(row)
    pairs = [("stripe_secret_key", "stripe_publishable_key")]
    if row.app_environment == "development":
        pairs.insert(0, ("stripe_test_secret_key", "stripe_test_publishable_key"))
    for secret, publishable in pairs:
        if keys[secret] and keys[publishable]:
            return livemode_of(keys[secret])
    return None
