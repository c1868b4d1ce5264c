"""Payment intents on connected accounts: made, read, listed, confirmed, canceled."""

import pytest

from app.devtools.stripe_emulator import Emulator, Options
from tests.devtools.conftest import Platform, fail
from tests.devtools.forms import Forms
from tests.devtools.listener import verify
from tests.simultaneous import until

FORM = {
    "amount": "1050",
    "currency": "eur",
    "description": "Order 7",
    "metadata[order]": "7",
    "application_fee_amount": "50",
    "automatic_payment_methods[enabled]": "true",
}
VISA = {"payment_method": "pm_card_visa", "return_url": "https://shop.example/done"}


class Payments:
    """A platform that charges on a connected account."""

    def __init__(self, platform, account_id):
        self.platform = platform
        self.account_id = account_id

    def options(self, key=None, account=None, idempotency_key=None):
        headers = {"Stripe-Account": account or self.account_id}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        return {"auth": (key or self.platform.test.secret_key, ""), "headers": headers}

    def create(self, form=None, **options):
        wanted = FORM if form is None else form
        return self.platform.post("/v1/payment_intents", wanted, **self.options(**options))

    def read(self, intent_id, **options):
        return self.platform.get(f"/v1/payment_intents/{intent_id}", **self.options(**options))

    def act(self, intent_id, action, form=None, **options):
        path = f"/v1/payment_intents/{intent_id}/{action}"
        return self.platform.post(path, form or {}, **self.options(**options))

    def list(self, **query):
        options = self.options()
        return self.platform.get("/v1/payment_intents", params=query, **options).json()

    def confirm(self, intent_id, method="pm_card_visa", **options):
        return self.act(intent_id, "confirm", {**VISA, "payment_method": method}, **options)


@pytest.fixture
def payments(platform):
    """On the first account, connected in test mode."""
    return Payments(platform, platform.exchange(platform.code()).json()["stripe_user_id"])


@pytest.fixture
def intent_id(payments):
    return payments.create().json()["id"]


def error_in(response):
    error = response.json()["error"]
    return response.status_code, error.get("code"), error.get("param")


def test_an_intent_is_made_on_the_account_and_waits_for_a_payment_method(payments):
    intent = payments.create().json()

    assert intent["object"] == "payment_intent"
    assert (intent["amount"], intent["currency"], intent["status"]) == (
        1050,
        "eur",
        "requires_payment_method",
    )
    assert intent["client_secret"].startswith(intent["id"] + "_secret_")
    assert (intent["description"], intent["metadata"]) == ("Order 7", {"order": "7"})
    assert intent["application_fee_amount"] == 50
    assert intent["application"] == payments.platform.test.client_id
    assert intent["automatic_payment_methods"] == {"allow_redirects": "always", "enabled": True}
    assert intent["livemode"] is False
    assert payments.read(intent["id"]).json() == intent


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"amount": None}, (400, "parameter_missing", "amount")),
        ({"amount": ""}, (400, "parameter_invalid_empty", "amount")),
        ({"amount": "10.5"}, (400, "parameter_invalid_integer", "amount")),
        ({"amount": "0"}, (400, "parameter_invalid_integer", "amount")),
        ({"amount": "-5"}, (400, "parameter_invalid_integer", "amount")),
        ({"amount": "49", "application_fee_amount": None}, (400, "amount_too_small", "amount")),
        ({"amount": "100000000"}, (400, "amount_too_large", "amount")),
        ({"currency": None}, (400, "parameter_missing", "currency")),
        ({"currency": "xyz"}, (400, None, "currency")),
        ({"application_fee_amount": "1051"}, (400, None, "application_fee_amount")),
        (
            {"application_fee_amount": "0"},
            (400, "parameter_invalid_integer", "application_fee_amount"),
        ),
        ({"payment_method_types[0]": "card"}, (400, None, "automatic_payment_methods")),
        ({"automatic_payment_methods[enabled]": "yes"}, (400, None, "enabled")),
        ({"made_up": "1"}, (400, "parameter_unknown", "made_up")),
    ],
)
def test_an_intent_with_a_wrong_parameter_is_refused(payments, change, refusal):
    wanted = {name: value for name, value in {**FORM, **change}.items() if value is not None}

    response = payments.create(wanted)

    assert error_in(response) == refusal
    assert payments.list()["data"] == []


@pytest.mark.parametrize(
    ("currency", "amount", "text"),
    [("usd", 49, "$0.50 usd"), ("gbp", 29, "£0.30 gbp"), ("jpy", 49, "¥50 jpy")],
)
def test_the_least_amount_is_named_in_its_currency(payments, currency, amount, text):
    response = payments.create({"amount": amount, "currency": currency})

    assert response.json()["error"]["message"] == f"Amount must be at least {text}"


def test_a_currency_may_be_written_large(payments):
    assert payments.create({"amount": "500", "currency": "EUR"}).json()["currency"] == "eur"


def test_an_account_without_access_is_forbidden(payments):
    payments.platform.deauthorize(payments.account_id)

    assert error_in(payments.create()) == (403, "account_invalid", None)


def test_a_payment_to_the_platform_itself_has_no_fee(platform):
    options = {"auth": (platform.test.secret_key, "")}
    without = {name: value for name, value in FORM.items() if name != "application_fee_amount"}

    refused = platform.post("/v1/payment_intents", FORM, **options)
    made = platform.post("/v1/payment_intents", without, **options)

    assert error_in(refused) == (400, None, "application_fee_amount")
    assert (made.status_code, made.json()["application"]) == (200, None)


def test_an_account_that_cannot_charge_is_refused_as_the_switches_say(platform):
    account_id = platform.world.offered_accounts()[2].id
    platform.exchange(platform.code(account=account_id))
    payments = Payments(platform, account_id)

    refused = payments.create()
    platform.control("switches", {"charges_disabled_status": 402, "charges_disabled_code": "x_y"})
    otherwise = payments.create()
    platform.control("switches", {"test_mode_needs_charges_enabled": False})

    assert error_in(refused) == (400, None, None)
    assert "cannot currently make" in refused.json()["error"]["message"]
    assert error_in(otherwise) == (402, "x_y", None)
    assert payments.create().status_code == 200


def test_an_intent_is_found_on_its_account_and_in_its_mode_alone(payments, intent_id):
    platform = payments.platform
    other = platform.world.offered_accounts()[1].id
    platform.exchange(platform.code(account=other))
    live = {"account": payments.account_id, "livemode": True}
    platform.control("connections", live)

    elsewhere = payments.read(intent_id, account=other)
    in_live_mode = payments.read(intent_id, key=platform.live.secret_key)

    assert error_in(elsewhere) == (404, "resource_missing", "intent")
    assert elsewhere.json()["error"]["message"] == f"No such payment_intent: '{intent_id}'"
    assert error_in(in_live_mode) == (404, "resource_missing", "intent")
    assert "a similar object exists in test mode" in in_live_mode.json()["error"]["message"]


def test_intents_are_listed_newest_first_with_their_metadata(payments, clock):
    made = []
    for number in range(5):
        clock.forward(1)
        made.append(payments.create({**FORM, "metadata[order]": str(number)}).json()["id"])

    first = payments.list(limit=3)
    second = payments.list(limit=3, starting_after=first["data"][-1]["id"])
    recent = payments.list(**{"created[gte]": int(clock.time) - 1})

    assert [each["id"] for each in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert [each["metadata"]["order"] for each in recent["data"]] == ["4", "3"]
    assert first["url"] == "/v1/payment_intents"


def test_confirming_with_a_good_card_pays(payments, intent_id):
    intent = payments.confirm(intent_id).json()

    assert (intent["status"], intent["amount_received"]) == ("succeeded", 1050)
    assert intent["payment_method"] == "pm_card_visa"
    assert intent["latest_charge"].startswith("ch_")


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ],
)
def test_a_declined_card_is_a_402_and_another_may_be_tried(
    payments, intent_id, method, code, decline_code
):
    response = payments.confirm(intent_id, method)

    error = response.json()["error"]
    assert (response.status_code, error["type"], error["code"]) == (402, "card_error", code)
    assert error.get("decline_code") == decline_code
    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert payments.read(intent_id).json()["last_payment_error"]["code"] == code
    assert payments.confirm(intent_id).json()["last_payment_error"] is None


def test_confirming_without_a_return_url_is_refused_where_methods_may_redirect(payments):
    automatic = payments.create().json()["id"]
    never = payments.create({**FORM, "automatic_payment_methods[allow_redirects]": "never"}).json()[
        "id"
    ]
    method = {"payment_method": "pm_card_visa"}

    refused = payments.act(automatic, "confirm", method)

    assert error_in(refused) == (400, None, "return_url")
    assert payments.read(automatic).json()["payment_method"] is None
    assert payments.act(never, "confirm", method).json()["status"] == "succeeded"


def test_an_intent_that_is_confirmed_as_it_is_made_is_paid(payments):
    intent = payments.create({**FORM, **VISA, "confirm": "true"}).json()

    assert intent["status"] == "succeeded"


def test_an_intent_with_a_method_waits_to_be_confirmed(payments):
    intent = payments.create({**FORM, "payment_method": "pm_card_visa"}).json()

    assert intent["status"] == "requires_confirmation"


@pytest.mark.parametrize(
    ("method", "refusal"),
    [
        ("pm_unknown", (400, "resource_missing", "payment_method")),
        (None, (400, "payment_intent_unexpected_state", None)),
    ],
)
def test_confirming_needs_a_method_that_there_is(payments, intent_id, method, refusal):
    form = {"payment_method": method} if method else {}

    assert error_in(payments.act(intent_id, "confirm", form)) == refusal


def test_a_test_card_pays_nothing_in_live_mode(payments):
    platform = payments.platform
    platform.control("connections", {"account": payments.account_id, "livemode": True})
    key = platform.live.secret_key
    intent_id = payments.create(key=key).json()["id"]

    response = payments.confirm(intent_id, key=key)

    assert error_in(response) == (400, "resource_missing", "payment_method")
    assert "exists in test mode" in response.json()["error"]["message"]


def test_a_paid_intent_can_be_neither_confirmed_nor_canceled(payments, intent_id):
    payments.confirm(intent_id)

    answers = [payments.confirm(intent_id), payments.act(intent_id, "cancel")]

    assert [error_in(each)[:2] for each in answers] == [
        (400, "payment_intent_unexpected_state")
    ] * 2
    assert (
        answers[1]
        .json()["error"]["message"]
        .startswith("You cannot cancel this PaymentIntent because it has a status of succeeded.")
    )
    assert answers[1].json()["error"]["payment_intent"]["id"] == intent_id


def test_a_canceled_intent_stays_canceled(payments, intent_id):
    canceled = payments.act(intent_id, "cancel", {"cancellation_reason": "abandoned"}).json()

    assert (canceled["status"], canceled["cancellation_reason"]) == ("canceled", "abandoned")
    assert canceled["canceled_at"] is not None
    assert error_in(payments.act(intent_id, "cancel"))[1] == "payment_intent_unexpected_state"
    assert error_in(payments.confirm(intent_id))[1] == "payment_intent_unexpected_state"


def test_a_bank_may_ask_the_payer_first(payments, intent_id):
    asked = payments.confirm(intent_id, "pm_card_authenticationRequired").json()

    path = asked["next_action"]["redirect_to_url"]["url"].removeprefix(payments.platform.url)
    returned = payments.platform.post(path, {"action": "authenticate"})

    assert asked["status"] == "requires_action"
    assert returned.headers["Location"] == VISA["return_url"]
    assert payments.read(intent_id).json()["status"] == "succeeded"


def test_a_browser_reads_and_confirms_with_the_publishable_key_and_the_client_secret(payments):
    intent = payments.create().json()
    secret = {"client_secret": intent["client_secret"]}
    key = payments.platform.test.publishable_key
    options = payments.options(key=key)
    path = f"/v1/payment_intents/{intent['id']}"

    wrong = payments.platform.get(path, params={"client_secret": "wrong"}, **options)
    read = payments.platform.get(path, params=secret, **options)
    paid = payments.platform.post(path + "/confirm", {**VISA, **secret}, **options)

    log = payments.platform.get("/_control/requests").text
    assert error_in(wrong) == (404, "resource_missing", "intent")
    assert intent["client_secret"] not in log
    assert (read.json()["id"], paid.json()["status"]) == (intent["id"], "succeeded")


def test_a_publishable_key_makes_no_intents(payments):
    response = payments.create(key=payments.platform.test.publishable_key)

    assert error_in(response) == (401, "secret_key_required", None)


def test_one_key_makes_one_intent_whatever_happens_to_the_answer(payments):
    fail(payments.platform, "500-after", on="create-payment-intent", times=1)

    answers = [payments.create(idempotency_key="order-7") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [500, 200, 200]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(payments.list()["data"]) == 1
    (made,) = payments.platform.state()["payment_intents"]
    assert made["idempotency_key"] == "order-7"
    assert "client_secret" not in made


def test_a_decline_is_replayed_under_its_key(payments, intent_id):
    first = payments.confirm(intent_id, "pm_card_chargeDeclined", idempotency_key="pay")
    second = payments.confirm(intent_id, "pm_card_chargeDeclined", idempotency_key="pay")

    assert (first.status_code, second.status_code) == (402, 402)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json() == first.json()


@pytest.mark.parametrize(
    "call", ["list-payment-intents", "payment-intents", "confirm-payment-intent"]
)
def test_each_call_of_a_payment_can_fail_alone(payments, intent_id, call):
    fail(payments.platform, "html", on=call)

    failed = {
        "list-payment-intents": lambda: payments.platform.get(
            "/v1/payment_intents", **payments.options()
        ),
        "payment-intents": lambda: payments.read(intent_id),
        "confirm-payment-intent": lambda: payments.confirm(intent_id),
    }
    statuses = {name: ask().status_code for name, ask in failed.items()}

    assert [name for name, status in statuses.items() if status == 502] == [call]


def listen(quiet, listener, method):
    """Make and confirm an intent; returns it with the types of the events sent, oldest first."""
    payments = Payments(quiet, quiet.exchange(quiet.code()).json()["stripe_user_id"])
    intent_id = payments.create(idempotency_key="order-7").json()["id"]
    payments.confirm(intent_id, method)
    events = [verify(each, quiet.test.webhook_secret) for each in listener.wait(2)]
    return payments, intent_id, events


def test_events_of_payments_are_signed_and_name_the_account_on_top(quiet, listener):
    payments, intent_id, events = listen(quiet, listener, "pm_card_visa")

    assert [each.type for each in events] == ["payment_intent.created", "payment_intent.succeeded"]
    assert {each.account for each in events} == {payments.account_id}
    assert {each.data.object.id for each in events} == {intent_id}
    assert events[0].request.idempotency_key == "order-7"
    assert events[1].data.object.status == "succeeded"


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("pm_card_chargeDeclined", "payment_intent.payment_failed"),
        ("pm_card_authenticationRequired", "payment_intent.requires_action"),
    ],
)
def test_a_payment_that_is_not_done_sends_its_event_too(quiet, listener, method, kind):
    _, _, events = listen(quiet, listener, method)

    assert events[1].type == kind


def test_canceling_sends_its_event(quiet, listener):
    payments = Payments(quiet, quiet.exchange(quiet.code()).json()["stripe_user_id"])
    payments.act(payments.create().json()["id"], "cancel")

    types = [verify(each, quiet.test.webhook_secret).type for each in listener.wait(2)]

    assert types == ["payment_intent.created", "payment_intent.canceled"]


def test_payments_to_the_platform_itself_reach_no_connect_endpoint(platform):
    form = {"amount": "500", "currency": "eur"}
    platform.post("/v1/payment_intents", form, auth=(platform.test.secret_key, ""))

    events = platform.get("/_control/events").json()["events"]

    assert [each for each in events if each["event"]["type"].startswith("payment_intent")] == []


def test_a_person_pays_on_the_page_of_payments(payments, intent_id):
    page = payments.platform.get("/dashboard/payments")
    pay, cancel = Forms(page.text).forms

    payments.platform.post(pay["action"], {"action": "confirm", "payment_method": "pm_card_visa"})

    assert "10.50 eur" in page.text
    assert cancel["buttons"] == [("action", "cancel")]
    until(lambda: payments.read(intent_id).json()["status"] == "succeeded")
    assert "succeeded" in payments.platform.get("/dashboard/payments").text


def test_a_card_that_is_declined_on_the_page_shows_why(payments, intent_id):
    form = {"action": "confirm", "payment_method": "pm_card_chargeDeclined"}

    response = payments.platform.post(f"/dashboard/payments/{intent_id}", form)

    assert response.status_code == 303
    assert "Your card was declined." in payments.platform.get("/dashboard/payments").text


def test_the_page_does_not_do_what_cannot_be_done(payments, intent_id):
    path = f"/dashboard/payments/{intent_id}"

    assert payments.platform.post(path, {"action": "authenticate"}).status_code == 422
    assert payments.platform.post("/dashboard/payments/pi_no", {"action": "x"}).status_code == 404


def test_payments_and_keys_survive_a_restart(tmp_path):
    options = Options(state_file=str(tmp_path / "stripe.json"))
    with Emulator(options) as emulator:
        platform = Platform(emulator)
        first = Payments(platform, platform.exchange(platform.code()).json()["stripe_user_id"])
        made = first.create(idempotency_key="order-7").json()
    with Emulator(options) as emulator:
        again = Payments(Platform(emulator), first.account_id)
        replayed = again.create(idempotency_key="order-7")

    assert replayed.json() == made
    assert replayed.headers["Idempotent-Replayed"] == "true"
