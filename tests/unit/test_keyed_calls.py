"""How a call under an idempotency key goes on, and how its object is found. No database."""

from datetime import UTC, datetime, timedelta

import pytest

from app.clients.stripe import ListedAccount, ListPage
from app.errors import StripeUnreadable
from app.services.keyed_calls import find_listed, next_step, retry_after

NOW = datetime(2027, 5, 1, 12, tzinfo=UTC)


def ago(**span):
    return NOW - timedelta(**span)


@pytest.mark.parametrize(
    ("step", "facts"),
    [
        ("ask", {}),
        ("ask", {"first_sent_at": ago(hours=22, minutes=59)}),
        ("ask", {"first_sent_at": ago(minutes=1), "claimed_until": NOW}),
        ("look-up", {"first_sent_at": ago(hours=23, seconds=1)}),
        ("look-up", {"first_sent_at": ago(minutes=1), "is_key_spent": True}),
        ("wait", {"first_sent_at": NOW, "claimed_until": NOW + timedelta(seconds=1)}),
        ("wait", {"is_key_spent": True, "claimed_until": NOW + timedelta(seconds=1)}),
    ],
)
def test_the_next_step_follows_from_lease_key_and_time(step, facts):
    known = {"claimed_until": None, "first_sent_at": None, "is_key_spent": False}
    assert next_step(NOW, **known | facts) == step


@pytest.mark.parametrize(("left", "seconds"), [(0.2, "1"), (-3, "1"), (7.5, "8")])
def test_a_request_meanwhile_is_told_when_the_lease_ends(left, seconds):
    assert retry_after(NOW + timedelta(seconds=left), NOW) == {"Retry-After": seconds}


def listed(*names):
    return tuple(ListedAccount(f"acct_{name}", {"ours": name}) for name in names)


PAGES = {None: ListPage(listed("a", "b"), "acct_b"), "acct_b": ListPage(listed("c"), None)}


@pytest.mark.parametrize(("name", "found"), [("a", "acct_a"), ("c", "acct_c")])
def test_an_object_is_found_on_whichever_page_it_stands(name, found):
    assert find_listed(PAGES.get, "ours", name).account_id == found


def test_what_no_page_lists_is_not_found():
    assert find_listed(PAGES.get, "ours", "d") is None
    assert find_listed(PAGES.get, "theirs", "a") is None


def test_a_list_without_an_end_is_given_up():
    page = ListPage(listed("other"), "acct_other")

    with pytest.raises(StripeUnreadable):
        find_listed(lambda cursor: page, "ours", "mine")
