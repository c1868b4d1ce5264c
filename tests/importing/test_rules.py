"""What becomes of single rows: decisions alone, without any database."""

from datetime import UTC, datetime

import pytest

from app.importing.facts import LinkFacts, Mapped, Refused, RoleFacts, SettingsFacts
from app.importing.links import livemode_of, map_links
from app.importing.merging import Digester, merge
from app.importing.platform_keys import choose_settings, map_keys, other_rows
from app.importing.roles import map_role
from tests.databases import on_sqlite

pytestmark = on_sqlite

CLIENT_IDS = {True: "ca_live", False: "ca_test"}
DIGESTER = Digester(b"a key of the tests")


def link(link_id=1, **facts):
    """A sound link of event 1."""
    given = {
        "event_id": 1,
        "account_id": f"acct_{link_id}",
        "access_token": "sk_live_a",
        "refresh_token": "rt_a",
        "publishable_key": "pk_live_a",
        "code": "ac_a",
        "is_deleted": False,
        "event_is_there": True,
        "event_is_deleted": False,
        "event_says_linked": True,
        "event_can_pay": True,
    }
    return LinkFacts(id=link_id, **{**given, **facts})


def settings(row_id=1, environment="production", **keys):
    """A row of settings without keys but those given."""
    names = [
        f"stripe_{mode}{name}"
        for mode in ("", "test_")
        for name in ("client_id", "secret_key", "publishable_key")
    ]
    return SettingsFacts(row_id, environment, **{**dict.fromkeys(names), **keys})


@pytest.mark.parametrize(
    ("key", "livemode"),
    [
        ("sk_live_1", True),
        ("rk_live_1", True),
        ("pk_live_1", True),
        (" sk_test_1 ", False),
        ("rk_test_1", False),
        ("pk_test_1", False),
        ("acct_live_1", None),
        ("rt_live_1", None),
        ("ca_test_1", None),
        ("sk_1", None),
        ("example", None),
        ("", None),
        (None, None),
    ],
)
def test_the_mode_is_told_by_prefixes_that_have_one(key, livemode):
    assert livemode_of(key) is livemode


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"access_token": None}, True),
        ({"publishable_key": None}, True),
        ({"access_token": "sk_test_a", "publishable_key": None}, False),
        ({"access_token": "example", "publishable_key": "pk_test_a"}, False),
        ({"publishable_key": "pk_test_a"}, "mode-contradictory"),
        ({"access_token": None, "publishable_key": ""}, "mode-unknown"),
    ],
)
def test_a_link_is_of_the_mode_that_all_its_keys_agree_on(keys, expected):
    result = map_links([link(**keys)], client_ids=CLIENT_IDS)[1]

    said = result.remark.reason if isinstance(result, Refused) else result.values["livemode"]
    assert said == expected


def test_a_link_without_a_client_id_of_its_mode_does_not_come():
    result = map_links([link()], client_ids={True: None, False: "ca_test"})[1]

    assert result.remark.reason == "no-client-id"


@pytest.mark.parametrize(
    ("taken", "known", "chosen"),
    [((), (), None), ((2,), (), 2), ((), (3,), 3), ((2,), (3,), 3), ((2, 3), (), None)],
)
def test_of_several_accounts_the_one_comes_that_came_before_or_was_chosen(taken, known, chosen):
    group = [link(1), link(2), link(3)]

    results = map_links(group, client_ids=CLIENT_IDS, taken=taken, known=known)

    came = [key for key, each in results.items() if isinstance(each, Mapped)]
    assert came == ([] if chosen is None else [chosen])
    assert set(results) == {1, 2, 3}


def test_of_several_grants_of_one_account_the_latest_comes():
    group = [link(key, account_id="acct_a") for key in (4, 9, 7)]

    results = map_links(group, client_ids=CLIENT_IDS)

    assert [key for key, each in results.items() if isinstance(each, Mapped)] == [9]


def test_keys_go_into_the_slot_that_their_prefix_says_and_client_ids_follow_the_secret():
    row = settings(
        stripe_client_id="ca_a", stripe_secret_key=" sk_test_a", stripe_publishable_key="pk_test_a"
    )

    keys = map_keys(row)

    assert {name: value for name, value in keys.values.items() if value} == {
        "stripe_test_client_id": "ca_a",
        "stripe_test_secret_key": "sk_test_a",
        "stripe_test_publishable_key": "pk_test_a",
    }
    assert keys.livemode_in_force is False
    assert {each.reason for each in keys.remarks} == {"key-moved"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stripe_secret_key", "example"),
        ("stripe_secret_key", "pk_live_in_the_wrong_field"),
        ("stripe_publishable_key", "sk_live_FAKE_in_the_wrong_field"),
        ("stripe_client_id", "sk_live_FAKE_in_the_wrong_field"),
        ("stripe_test_client_id", "example"),
    ],
)
def test_what_is_no_key_of_its_kind_is_not_imported_and_not_repeated(name, value):
    keys = map_keys(settings(**{name: value}))

    assert not any(keys.values.values())
    (remark,) = keys.remarks
    assert remark.reason == "key-not-imported"
    assert value not in remark.action


def test_two_different_keys_for_one_slot_are_not_guessed_between():
    keys = map_keys(settings(stripe_secret_key="sk_test_a", stripe_test_secret_key="sk_test_b"))

    assert "key-not-imported" in {each.reason for each in keys.remarks}


@pytest.mark.parametrize(
    ("environment", "livemode"), [("production", True), ("development", False), (None, True)]
)
def test_the_pair_in_force_is_the_test_one_in_development_alone(environment, livemode):
    row = settings(
        environment=environment,
        stripe_secret_key="sk_live_a",
        stripe_publishable_key="pk_live_a",
        stripe_test_secret_key="sk_test_a",
        stripe_test_publishable_key="pk_test_a",
    )

    assert map_keys(row).livemode_in_force is livemode


@pytest.mark.parametrize(
    ("environments", "named", "chosen"),
    [
        (["development"], None, 1),
        ([None], None, 1),
        ([], None, None),
        (["development", "production"], None, 2),
        (["production", "production"], None, None),
        (["staging", "development"], None, None),
        (["production", "production"], 2, 2),
    ],
)
def test_of_several_rows_of_settings_the_only_production_one_counts(environments, named, chosen):
    rows = [settings(number, each) for number, each in enumerate(environments, start=1)]

    row, refusals = choose_settings(rows, named)

    assert (row and row.id) == chosen
    assert set(refusals) == ({each.id for each in rows} if chosen is None else set())


def test_it_is_said_that_administrators_edit_row_1_where_another_row_counts():
    rows = [settings(1, "staging", stripe_client_id="ca_a"), settings(2)]

    assert "administrators edit" in other_rows(rows, rows[1])[1].action


@pytest.mark.parametrize("role", ["attendee", "track_organizer", "registrar", "moderator"])
def test_a_role_of_another_kind_is_left_out(role):
    result = map_role(RoleFacts(1, 1, role), imported_events={1}, imported_users={1})

    assert result.label == f"roles named {role}"


@pytest.mark.parametrize(("events", "users"), [({2}, {1}), ({1}, {2}), ((), ())])
def test_a_role_of_what_did_not_come_is_left_out(events, users):
    result = map_role(RoleFacts(1, 1, "owner"), imported_events=events, imported_users=users)

    assert not isinstance(result, Mapped)


FIELDS = ("name", "at", "flag")
BROUGHT = {"name": "a", "at": datetime(2024, 5, 1, tzinfo=UTC), "flag": False}


@pytest.mark.parametrize(
    ("theirs", "ours", "changes", "conflicts"),
    [
        ({}, {}, {}, ()),
        ({"name": "b"}, {}, {"name": "b"}, ()),
        ({}, {"name": "b"}, {}, ()),
        ({"name": "b"}, {"name": "b"}, {}, ()),
        ({"name": "b"}, {"name": "c"}, {}, ("name",)),
        ({"name": "b", "flag": True}, {"name": "c"}, {"flag": True}, ("name",)),
        ({"at": None}, {}, {"at": None}, ()),
    ],
)
def test_a_value_comes_if_it_changed_there_alone(theirs, ours, changes, conflicts):
    digests = DIGESTER.pack(FIELDS, BROUGHT)

    merged = merge(FIELDS, BROUGHT | theirs, BROUGHT | ours, digests, DIGESTER)

    assert (merged.changes, merged.conflicts) == (changes, conflicts)
    again = merge(FIELDS, BROUGHT | theirs, BROUGHT | ours | changes, merged.digests, DIGESTER)
    assert (again.changes, again.conflicts, again.digests) == ({}, conflicts, merged.digests)


def test_digests_tell_nothing_without_their_key_and_differ_by_name_and_kind():
    other = Digester(b"another key")

    made = {
        DIGESTER.digest("a", "1"),
        DIGESTER.digest("b", "1"),
        DIGESTER.digest("a", 1),
        DIGESTER.digest("a", None),
        DIGESTER.digest("a", "None"),
        other.digest("a", "1"),
    }
    assert len(made) == 6
