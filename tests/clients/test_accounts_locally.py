"""Accounts without OAuth, against the local Stripe: created once, found again, judged precisely."""

from datetime import UTC, datetime, timedelta

import pytest

from app.clients.stripe import (
    AccountDeleted,
    AccountNotConnected,
    AccountUnknown,
    KeyLacksPermission,
    SavedFault,
    account_form,
)
from app.errors import (
    StripeError,
    StripeRefused,
    StripeRejectedPlatform,
    StripeTimeout,
    StripeUnreadable,
)

FORM = account_form("owner@example.org", country="AT", metadata={"onboarding": "7"})


@pytest.fixture(name="client")
def _client(make_stripe, stripe):
    return make_stripe(stripe.url, timeout=10)


@pytest.fixture(name="key")
def _key(stripe):
    return stripe.settings["stripe-test-secret-key"]


@pytest.fixture(name="create")
def _create(client, key):
    def create(idempotency_key: str = "first", form=FORM) -> str:
        return client.create_account(form, secret_key=key, idempotency_key=idempotency_key)

    return create


@pytest.fixture(name="ours")
def _ours(client, key):
    """The ids of the accounts that carry our name, read page by page."""

    def ours() -> list[str]:
        found, cursor = [], None
        while True:
            since = datetime.now(UTC) - timedelta(hours=1)
            page = client.list_accounts(secret_key=key, since=since, cursor=cursor)
            found += [each.account_id for each in page.items if "onboarding" in each.metadata]
            if page.cursor is None:
                return found
            cursor = page.cursor

    return ours


def test_an_account_is_created_once_however_often_it_is_asked_for(create, ours):
    ids = {create() for _ in range(3)}

    assert list(ids) == ours()


def test_a_new_account_has_its_country_and_waits_for_its_owner(client, create, key):
    snapshot = client.read_account(create(), secret_key=key)

    assert snapshot.country == "AT"
    assert snapshot.details_submitted is False
    assert snapshot.status == "restricted"


def test_its_owner_is_led_to_stripe(client, create, key, stripe):
    link = client.create_account_link(
        create(), return_url=f"{stripe.url}/r", refresh_url=f"{stripe.url}/r?x=1", secret_key=key
    )

    assert link.url.startswith(stripe.url)
    assert link.expires_at > datetime.now(UTC)


def test_a_country_that_is_none_is_refused_in_stripes_words(create, ours):
    with pytest.raises(StripeRefused) as caught:
        create(form={**FORM, "country": "UK"})

    assert "'UK' is unknown" in caught.value.detail
    assert caught.value.meta == {"stripe-error": "country_code_invalid"}
    assert ours() == []


def test_a_platform_that_may_not_create_accounts_is_told_so(create, stripe):
    words = "You can only create new accounts if you've signed up for Connect."
    stripe.control("switches", {"account_creation_refused_text": words})
    with pytest.raises(StripeRefused) as caught:
        create()

    assert caught.value.detail == words


@pytest.mark.parametrize(
    ("fault", "kind", "made"),
    [
        ("timeout-after", StripeTimeout, 1),
        ("close-after-commit", StripeUnreadable, 1),
        ("500-after", StripeUnreadable, 1),
        ("500-before", StripeUnreadable, 0),
        ("429", StripeUnreadable, 0),
        ("html", StripeUnreadable, 0),
        ("truncated", StripeUnreadable, 1),
        ("redirect", StripeUnreadable, 0),
        ("500-saved-before", StripeUnreadable, 0),
        ("500-saved-after", StripeUnreadable, 1),
    ],
)
def test_a_fault_leaves_it_open_whether_there_is_one_and_the_list_tells(
    make_stripe, stripe, key, ours, fault, kind, made
):
    client = make_stripe(stripe.url, timeout=2)
    stripe.fault(fault, on="create-account")
    with pytest.raises(StripeError) as caught:
        client.create_account(FORM, secret_key=key, idempotency_key="first")
    stripe.fault(None)

    assert type(caught.value) is kind
    assert len(ours()) == made


@pytest.mark.parametrize("fault", ["timeout-after", "close-after-commit", "500-after", "429"])
def test_after_a_fault_the_same_key_brings_the_one_account(
    make_stripe, stripe, key, create, ours, fault
):
    client = make_stripe(stripe.url, timeout=2)
    stripe.fault(fault, on="create-account", times=1)
    with pytest.raises(StripeError):
        client.create_account(FORM, secret_key=key, idempotency_key="first")

    assert [create()] == ours()


@pytest.mark.parametrize("fault", ["500-saved-before", "500-saved-after"])
def test_a_saved_fault_is_told_when_it_is_replayed(stripe, create, fault):
    stripe.fault(fault, on="create-account", times=1)
    kinds = []
    for _ in range(2):
        with pytest.raises(StripeUnreadable) as caught:
            create()
        kinds.append(type(caught.value))

    assert kinds == [StripeUnreadable, SavedFault]


def test_one_key_for_two_forms_is_no_refusal_since_an_account_is_there(create, ours):
    made = create()
    with pytest.raises(StripeUnreadable):
        create(form={**FORM, "country": "DE"})

    assert ours() == [made]


def test_the_platform_knows_who_it_is(client, key, stripe):
    live = stripe.settings["stripe-secret-key"]

    platform = client.read_platform_id(secret_key=key)

    assert platform.startswith("acct_")
    assert client.read_platform_id(secret_key=live) == platform


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("account-403", AccountNotConnected),
        ("account-404", AccountUnknown),
        ("account-deleted", AccountDeleted),
        ("key-expired", StripeRejectedPlatform),
        ("key-invalid", StripeRejectedPlatform),
        ("key-restricted", KeyLacksPermission),
        ("not-a-platform", KeyLacksPermission),
        ("account-500", StripeUnreadable),
    ],
)
def test_each_reason_why_an_account_cannot_be_read_is_told_apart(
    client, create, key, stripe, fault, kind
):
    account_id = create()
    stripe.fault(fault)
    with pytest.raises((StripeError, AccountNotConnected)) as caught:
        client.read_account(account_id, secret_key=key)

    assert type(caught.value) is kind
