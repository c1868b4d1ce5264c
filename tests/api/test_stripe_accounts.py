"""Accounts that somebody connected: who sees them, and linking them to more events."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.extensions import db
from app.models import Setting, StripeAuthorization, StripeLinkAttempt, UsersEventsRole
from tests.callers import assert_error, document

PATH = "/v1/stripe-authorizations"
ACCOUNT = "/data/relationships/account"
CODE = "/data/attributes/stripe-auth-code"


def account_document(event, account, id_=None, **attributes):
    linkage = {"account": {"type": "stripe-account", "id": account}}
    if event is not None:
        linkage["event"] = {"type": "event", "id": str(event.id)}
    return document("stripe-authorization", id_, linkage, **attributes)


@pytest.fixture(name="connected")
def _connected(link, stripe):
    """The id of an account that the owner has connected to the event by OAuth."""
    assert link().status_code == 201
    return stripe.accounts[0]


@pytest.fixture(name="second")
def _second(make, owner):
    """Another event of the owner's."""
    return make.event(owner)


@pytest.fixture(name="reuse")
def _reuse(organizer, second, connected):
    """Links the second event by the account of the first, or what is named."""

    def reuse(*, by=None, of=None, account=None, **attributes):
        body = account_document(of or second, account or connected, **attributes)
        response = (by or organizer).post(PATH, body)
        db.session.rollback()
        return response

    return reuse


def accounts_of(client, query=""):
    return [each["id"] for each in client.get(f"/v1/stripe-accounts{query}").json["data"]]


def links():
    db.session.rollback()
    return db.session.query(StripeAuthorization).order_by(StripeAuthorization.id).all()


def test_an_account_links_another_event_without_a_code(reuse, connected, stripe, organizer):
    response = reuse()

    assert response.status_code == 201, response.text
    attributes = response.json["data"]["attributes"]
    assert attributes["method"] == "account"
    assert attributes["stripe-user-id"] == connected
    assert "account" not in response.json["data"]["relationships"]
    assert len(stripe.codes_seen()) == 1


def test_tokens_key_and_client_id_are_copied_and_sealed_to_their_new_place(reuse, app):
    reuse()

    first, second = links()
    for name in (
        "stripe_secret_key",
        "stripe_refresh_token",
        "stripe_publishable_key",
        "client_id",
        "scope",
    ):
        assert getattr(first, name) == getattr(second, name) is not None
    assert first.sealed_stripe_secret_key != second.sealed_stripe_secret_key
    assert second.stripe_auth_code is None


def test_an_attempt_by_account_is_in_the_history_without_a_code(reuse):
    reuse()

    attempt = db.session.query(StripeLinkAttempt).order_by(StripeLinkAttempt.id.desc()).first()
    assert (attempt.method, attempt.outcome) == ("account", "linked")
    assert attempt.stripe_auth_code is None


def test_the_account_that_is_linked_there_already_is_answered_with_200(reuse, second, organizer):
    made = reuse().json["data"]
    organizer.patch(
        f"/v1/events/{second.id}", document("event", second.id, can_pay_by_stripe=False)
    )

    again = reuse()

    assert again.status_code == 200
    assert again.json["data"]["id"] == made["id"]


def test_a_link_is_replaced_by_an_account(reuse, link, second, stripe, organizer, connected):
    made = link(stripe.code(stripe.accounts[1]), of=second).json["data"]
    body = account_document(None, connected, made["id"])

    response = organizer.patch(f"{PATH}/{made['id']}", body)

    assert response.status_code == 200, response.text
    assert response.json["data"]["attributes"]["stripe-user-id"] == connected
    assert stripe.connections() == {connected}


def test_an_account_stays_connected_until_the_last_event_lets_go(
    reuse, event, second, organizer, stripe, connected
):
    reuse()

    first = organizer.delete(f"/v1/events/{event.id}/stripe-authorization")
    assert first.json["meta"]["deauthorization"] == "shared"
    assert accounts_of(organizer) == [connected]
    last = organizer.delete(f"/v1/events/{second.id}/stripe-authorization")

    assert last.json["meta"]["deauthorization"] == "done"
    assert stripe.connections() == set()
    assert accounts_of(organizer) == []


def test_an_account_is_shown_with_how_many_events_use_it(reuse, organizer, connected):
    reuse()

    (shown,) = organizer.get("/v1/stripe-accounts").json["data"]

    assert shown["type"] == "stripe-account"
    assert shown["links"] == {"self": f"/v1/stripe-accounts/{connected}"}
    assert shown["attributes"]["linked-events"] == 2
    assert shown["attributes"]["livemode"] is False
    assert {"display-name", "account-status", "country"} < set(shown["attributes"])
    assert organizer.get(shown["links"]["self"]).json["data"] == shown


def test_accounts_are_of_the_current_mode_unless_the_filter_says_otherwise(
    organizer, connected, make, stripe
):
    assert accounts_of(organizer, "?filter[livemode]=true") == []
    make.platform(stripe, mode="production")

    assert accounts_of(organizer) == []
    assert accounts_of(organizer, "?filter[livemode]=false") == [connected]


def test_a_colleagues_account_is_neither_shown_nor_used(
    reuse, client, make, event, second, connected
):
    colleague = make.person(event, "organizer")
    make.role(colleague, second, "organizer")
    other = client.as_(colleague)

    assert accounts_of(other) == []
    assert_error(other.get(f"/v1/stripe-accounts/{connected}"), 404, "not-found")
    foreign = assert_error(reuse(by=other), 422, "validation", pointer=ACCOUNT)
    unknown = assert_error(
        reuse(by=other, account="acct_1Unknown"), 422, "validation", pointer=ACCOUNT
    )
    assert foreign["detail"] == unknown["detail"]


def test_administrators_see_and_use_every_account(reuse, client, make, connected):
    admin = client.as_(make.admin())

    assert accounts_of(admin) == [connected]
    assert reuse(by=admin).status_code == 201


def test_an_imported_links_account_is_its_event_owners(make, client, platform, stripe):
    owner = make.user()
    event = make.event(owner)
    stripe.connect(stripe.accounts[2])
    make.link(event, stripe_user_id=stripe.accounts[2])
    organizer, other = client.as_(owner), make.event(owner)
    colleague = client.as_(make.person(event, "organizer"))

    assert accounts_of(organizer) == [stripe.accounts[2]]
    assert accounts_of(colleague) == []
    response = organizer.post(PATH, account_document(other, stripe.accounts[2]))
    assert response.status_code == 201, response.text


def test_an_account_that_was_given_back_and_connected_by_a_colleague_is_theirs(
    link, event, organizer, client, make, connected, stripe
):
    organizer.delete(f"/v1/events/{event.id}/stripe-authorization")
    colleague = client.as_(make.person(event, "organizer"))
    assert link(stripe.code(connected), by=colleague).status_code == 201

    assert accounts_of(organizer) == []
    assert accounts_of(colleague) == [connected]


def test_anonymous_callers_see_no_accounts(client, connected):
    assert_error(client.get("/v1/stripe-accounts"), 401, "unauthenticated")
    assert_error(client.get(f"/v1/stripe-accounts/{connected}"), 401, "unauthenticated")


@pytest.mark.parametrize("account", ["", "x" * 5000, "acct_\0", "acct_é", "../acct", "acct_1'--"])
def test_an_id_that_is_none_is_not_the_callers(reuse, organizer, account, second):
    body = account_document(second, account)

    assert_error(organizer.post(PATH, body), 422, "validation", pointer=ACCOUNT)


@pytest.mark.parametrize("linkage", [None, {"type": "user", "id": "1"}])
def test_linkage_to_something_else_is_refused_at_the_account(organizer, second, linkage, platform):
    body = account_document(second, "acct_1")
    body["data"]["relationships"]["account"]["data"] = linkage

    assert_error(organizer.post(PATH, body), 422, "validation", pointer=ACCOUNT)


@pytest.mark.parametrize("more", [{"stripe_auth_code": "ac_1"}, {"state": "s"}])
def test_an_account_comes_alone(reuse, more):
    assert_error(reuse(**more), 422, "validation", pointer=CODE)


def test_the_right_at_the_event_comes_before_the_account(reuse, client, make, second):
    coorganizer = client.as_(make.person(second, "coorganizer"))

    assert_error(reuse(by=coorganizer, account="acct_1"), 403, "forbidden")


def test_the_account_comes_before_everything_else_about_the_event(
    reuse, organizer, second, event, connected
):
    address = f"/v1/events/{second.id}"
    organizer.patch(address, document("event", second.id, can_pay_by_stripe=False))

    assert_error(reuse(account="acct_1"), 422, "validation", pointer=ACCOUNT)
    assert_error(reuse(), 403, "stripe-disabled")


def test_an_event_with_another_account_is_refused(reuse, link, second, stripe):
    link(stripe.code(stripe.accounts[1]), of=second)

    assert_error(reuse(), 409, "already-linked", pointer="/data/relationships/event")


def test_a_client_id_is_not_needed_to_use_an_account(reuse, app):
    setting = db.session.get_one(Setting, 1)
    setting.stripe_test_client_id = None
    db.session.commit()

    assert reuse().status_code == 201


def test_the_frontend_must_be_of_the_same_mode(reuse):
    response = reuse(stripe_publishable_key="pk_live_1")

    assert_error(response, 422, "stripe-mode-mismatch")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("500-before", 502, "stripe-unreadable"),
        ("html", 502, "stripe-unreadable"),
        ("429", 502, "stripe-unreadable"),
        ("key-invalid", 502, "stripe-rejected-platform"),
        ("account-404", 502, "stripe-rejected-platform"),
        ("account-deleted", 502, "stripe-rejected-platform"),
    ],
)
def test_without_a_good_answer_nothing_is_linked_and_it_may_be_tried_again(
    reuse, stripe, fault, status, code
):
    stripe.fault(fault, on="accounts")
    assert_error(reuse(), status, code)
    assert len(links()) == 1

    stripe.fault(None)

    assert reuse().status_code == 201


def test_an_account_that_is_not_complete_is_not_linked(reuse, stripe, connected):
    stripe.control(f"accounts/{connected}", {"details_submitted": False})

    assert_error(reuse(), 422, "onboarding-incomplete")
    assert len(links()) == 1


def test_an_account_that_its_owner_disconnected_loses_its_links(
    reuse, app, stripe, connected, second
):
    app.extensions["refreshes"].drain()  # so that the link knows its platform
    stripe.disconnect(connected)

    assert_error(reuse(), 422, "stripe-refused")
    assert links() == []


def test_with_the_key_of_another_platform_no_link_is_erased(
    reuse, app, stripe, connected, organizer
):
    app.extensions["refreshes"].drain()
    setting = db.session.get_one(Setting, 1)
    setting.stripe_test_secret_key = stripe.other_platform()["secret_key"]
    db.session.commit()

    assert_error(reuse(), 502, "stripe-rejected-platform")
    (kept,) = links()
    assert kept.account_status == "unknown"


def test_of_many_at_once_one_links(organizer, second, connected):
    ready = threading.Barrier(8)
    body = account_document(second, connected)

    def post(_):
        ready.wait()
        return organizer.post(PATH, body)

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(each.status_code for each in pool.map(post, range(8)))

    assert answers[201] == 1
    assert answers[200] + answers[409] == 7
    assert len(links()) == 2


def test_a_link_that_goes_while_stripe_is_asked_is_not_copied(
    organizer, event, second, connected, stripe
):
    stripe.fault("slow", seconds=1.0, on="accounts", times=1)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(organizer.post, PATH, account_document(second, connected))
        while not stripe.asked(f"/v1/accounts/{connected}"):
            pass
        organizer.delete(f"/v1/events/{event.id}/stripe-authorization")
        answer = pending.result()

    assert_error(answer, 422, "validation", pointer=ACCOUNT)
    assert links() == []
    assert stripe.connections() == set()


def test_a_caller_who_loses_the_right_while_stripe_is_asked_links_nothing(
    client, make, event, second, connected, stripe, owner
):
    stripe.fault("slow", seconds=1.0, on="accounts", times=1)
    with ThreadPoolExecutor(1) as pool:
        posting = client.as_(owner)
        pending = pool.submit(posting.post, PATH, account_document(second, connected))
        while not stripe.asked(f"/v1/accounts/{connected}"):
            pass
        db.session.query(UsersEventsRole).filter_by(event_id=second.id).delete()
        db.session.commit()
        answer = pending.result()

    assert_error(answer, 403, "forbidden")
    assert len(links()) == 1
    assert stripe.connections() == {connected}
