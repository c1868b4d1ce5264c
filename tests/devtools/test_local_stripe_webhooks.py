"""Signed events, V23 of the vectors in docs/local-stripe.md."""

import json

import pytest
import stripe

from tests.devtools.listener import verify


def send(platform, **spec):
    spec = {"type": "account.updated", "account": platform.account.id, **spec}
    return platform.control("webhooks", {"send": spec, "wait": 10})["sent"]


def test_v23_deauthorizing_sends_a_signed_event_about_the_application(quiet, listener):
    quiet.exchange(quiet.code())
    quiet.deauthorize()

    event = verify(listener.wait(1)[0], quiet.test.webhook_secret)

    assert event.type == "account.application.deauthorized"
    assert event.account == quiet.account.id
    assert event.data.object.to_dict() == {
        "id": quiet.test.client_id,
        "object": "application",
        "name": "Open Event",
    }
    assert (event.livemode, event.api_version) == (False, None)


def test_v23_a_test_event_reaches_the_live_endpoint_as_well(platform, listener):
    send(platform)

    first, second = listener.wait(2)
    by_test = verify(first, platform.test.webhook_secret)
    by_live = verify(second, platform.live.webhook_secret)

    assert by_test.id == by_live.id
    assert by_live.livemode is False


def test_v23_a_live_event_is_signed_with_the_live_secret_only(platform, listener):
    send(platform, livemode=True)

    event = verify(listener.wait(1)[0], platform.live.webhook_secret)

    assert event.livemode is True
    assert len(listener.received) == 1
    with pytest.raises(stripe.SignatureVerificationError):
        verify(listener.received[0], platform.test.webhook_secret)


def test_v23_a_refused_event_comes_again_with_a_fresh_time_and_signature(quiet, clock, listener):
    listener.statuses = [503]
    send(quiet)
    clock.forward(30)
    quiet.control("clock", {"advance": 3})

    (first, signed_first), (second, signed_second) = listener.wait(2)

    assert first == second
    assert signed_first.split(",")[0] != signed_second.split(",")[0]
    assert verify((second, signed_second), quiet.test.webhook_secret)


@pytest.mark.parametrize("status", [302, 400, 500])
def test_v23_anything_but_success_counts_as_a_failure(quiet, listener, status):
    listener.statuses = [status]

    sent = send(quiet)

    (event,) = quiet.get("/_control/events").json()["events"]
    (delivery,) = event["deliveries"]
    assert event["event"]["id"] == sent["id"]
    assert delivery["state"] == "pending"
    assert [attempt["status"] for attempt in delivery["attempts"]] == [status]


def test_v23_a_test_event_is_given_up_after_three_more_attempts(quiet, listener):
    listener.statuses = [500] * 9
    send(quiet)
    for advance in (10, 100, 10_000, 100_000):
        quiet.control("clock", {"advance": advance})
        quiet.control("webhooks", {"wait": 10})

    (event,) = quiet.get("/_control/events").json()["events"]

    assert len(listener.received) == 4
    assert event["deliveries"][0]["state"] == "failed"


def test_v23_an_endpoint_that_is_away_is_tried_again(quiet, listener):
    quiet.control("webhooks", {"url": "http://127.0.0.1:9/hooks"})
    send(quiet)
    quiet.control("webhooks", {"url": listener.url})
    quiet.control("clock", {"advance": 10})

    assert listener.wait(1)


def test_v23_events_can_come_out_of_order_and_twice(quiet, listener):
    quiet.control("webhooks", {"hold": True})
    first, second = send(quiet)["id"], send(quiet)["id"]
    held = quiet.get("/_control/webhooks").json()["held"]

    quiet.control("webhooks", {"release": "reversed", "duplicate": 2, "wait": 10})

    assert held == 2
    assert listener.ids() == [second, second, first, first]


def test_v23_an_event_can_be_sent_again_under_the_same_id(quiet, listener):
    sent = send(quiet)

    quiet.control("webhooks", {"resend": sent["id"], "wait": 10})

    assert listener.ids() == [sent["id"]] * 2


def test_v23_ending_a_hold_delivers_in_order(quiet, listener):
    quiet.control("webhooks", {"hold": True})
    ids = [send(quiet)["id"] for _ in range(3)]

    quiet.control("webhooks", {"hold": False, "wait": 10})

    assert listener.ids() == ids


@pytest.mark.parametrize(
    "forgery", [{"age": 301}, {"secret": "whsec_wrong"}, {"signature": "t=1,v1=00"}]
)
def test_an_event_can_be_forged_so_that_verification_fails(quiet, listener, forgery):
    send(quiet, **forgery)

    with pytest.raises(stripe.SignatureVerificationError):
        verify(listener.wait(1)[0], quiet.test.webhook_secret)


def test_an_event_can_come_without_signature(quiet, listener):
    send(quiet, signature=None)

    assert listener.wait(1)[0][1] is None


def test_an_event_can_be_made_to_measure(quiet, listener):
    spec = {"id": "evt_mine", "created": 1_700_000_000, "object": {"id": "ca_other"}}
    send(quiet, type="account.application.deauthorized", **spec)

    event = json.loads(listener.wait(1)[0][0])

    assert (event["id"], event["created"]) == ("evt_mine", 1_700_000_000)
    assert event["data"]["object"] == {"id": "ca_other"}


def test_secrets_can_be_changed(quiet, listener):
    quiet.control("webhooks", {"secrets": {"test": "whsec_another"}})
    send(quiet)

    assert verify(listener.wait(1)[0], "whsec_another")


def test_an_exchange_sends_authorized_unless_switched_off(platform, listener):
    platform.exchange(platform.code())

    event = verify(listener.wait(1)[0], platform.test.webhook_secret)

    assert event.type == "account.application.authorized"


def test_a_slow_endpoint_does_not_slow_the_exchange(platform, listener):
    platform.control("webhooks", {"url": "http://127.0.0.1:9/hooks"})

    assert platform.exchange(platform.code()).elapsed.total_seconds() < 2


@pytest.mark.parametrize(
    ("is_sent", "count"), [pytest.param(False, 0, id="silent"), pytest.param(True, 1, id="told")]
)
def test_whether_a_revocation_by_reuse_is_told_is_a_switch(quiet, listener, is_sent, count):
    quiet.control("switches", {"reuse_sends_event": is_sent})
    code = quiet.code()
    quiet.exchange(code)
    quiet.exchange(code)
    quiet.control("webhooks", {"wait": 10})

    assert len(listener.received) == count


@pytest.mark.parametrize(
    "body",
    [
        {"send": "account.updated"},
        {"send": {"account": "acct_1"}},
        {"send": {"type": "account.updated", "account": "acct_unknown"}},
        {"send": {"type": "account.updated", "livemode": "no"}},
        {"resend": "evt_unknown"},
        {"release": "sideways"},
        {"release": "reversed", "duplicate": 0},
        {"wait": -1},
        {"secrets": []},
        {"secrets": {"staging": "x"}},
        {"url": 7},
        {"unknown": 1},
    ],
)
def test_steering_that_makes_no_sense_is_refused_as_json(platform, body):
    response = platform.post("/_control/webhooks", json=body)

    assert 400 <= response.status_code < 500
    assert response.json()["error"]
