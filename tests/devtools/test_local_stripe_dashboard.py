"""What the owner of an account does at Stripe, and what the platform hears of it."""

import pytest

from tests.devtools.forms import Forms
from tests.devtools.listener import verify


def dashboard_form(platform, action):
    forms = Forms(platform.get("/dashboard").text).forms
    return next(
        form
        for form in forms
        if form["action"] == f"/dashboard/{action}"
        and form["fields"]["account"] == platform.account.id
    )


def press(platform, action):
    form = dashboard_form(platform, action)
    return platform.post(form["action"], form["fields"])


def test_disconnecting_in_the_dashboard_sends_deauthorized(quiet, listener):
    quiet.exchange(quiet.code())

    response = press(quiet, "disconnect")

    event = verify(listener.wait(1)[0], quiet.test.webhook_secret)
    assert (response.status_code, event.type) == (303, "account.application.deauthorized")
    assert quiet.read_account().status_code == 403


def test_the_dashboard_disconnects_one_mode_at_a_time(quiet, listener):
    quiet.exchange(quiet.code(livemode=True), quiet.live.secret_key)
    quiet.exchange(quiet.code())
    forms = Forms(quiet.get("/dashboard").text).forms
    offered = [f["fields"]["client_id"] for f in forms if f["action"] == "/dashboard/disconnect"]

    quiet.post(
        "/dashboard/disconnect",
        {"account": quiet.account.id, "client_id": quiet.live.client_id},
    )

    assert sorted(offered) == sorted([quiet.live.client_id, quiet.test.client_id])
    assert quiet.is_connected()
    assert not quiet.is_connected(quiet.live)


def test_restricting_in_the_dashboard_sends_the_account_as_it_is_now(quiet, listener):
    quiet.exchange(quiet.code())
    press(quiet, "restrict")
    press(quiet, "unrestrict")

    events = [verify(each, quiet.test.webhook_secret) for each in listener.wait(2)]

    assert [event.type for event in events] == ["account.updated"] * 2
    assert [event.data.object.charges_enabled for event in events] == [False, True]
    assert events[0].data.object.requirements.disabled_reason == "requirements.past_due"


@pytest.mark.parametrize("action", ["disconnect", "restrict", "unrestrict"])
def test_the_dashboard_refuses_unknown_accounts(platform, action):
    response = platform.post(f"/dashboard/{action}", {"account": "acct_unknown"})

    assert response.status_code == 404
