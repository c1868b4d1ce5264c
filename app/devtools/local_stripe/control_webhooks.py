"""/_control/webhooks and /_control/events: hold, release, forge and inspect deliveries."""

from flask import Blueprint, jsonify

from . import events
from .control import body, find_account, known, number, text
from .current import local_stripe
from .errors import ControlError

blueprint = Blueprint("control_webhooks", __name__, url_prefix="/_control")

SPEC = ("type", "account", "livemode", "object", "id", "created", "age", "secret", "signature")
LONGEST_WAIT = 60


@blueprint.get("/webhooks")
def webhooks():
    return jsonify(describe(local_stripe()))


@blueprint.post("/webhooks")
def steer():
    """Any of `url`, `secrets`, `hold`, `send`, `resend`, `release`, `wait`, in this order."""
    stripe = local_stripe()
    wanted = known(
        body(), "url", "secrets", "hold", "send", "resend", "release", "duplicate", "wait"
    )
    configure(stripe, wanted)
    sent = send(stripe, wanted["send"]) if "send" in wanted else None
    if "resend" in wanted and not stripe.webhooks.resend(text(wanted, "resend")):
        raise ControlError("There is no such event.", status=404)
    release(stripe, wanted)
    answer = describe(stripe)
    if sent is not None:
        answer["sent"] = sent
    if "wait" in wanted:
        answer["settled"] = stripe.webhooks.settle(seconds(wanted["wait"]))
    return jsonify(answer)


@blueprint.get("/events")
def list_events():
    """Every event once, oldest first, with its deliveries and their attempts."""
    listed = {}
    for delivery in local_stripe().webhooks.deliveries():
        entry = listed.setdefault(delivery.event["id"], {"event": delivery.event, "deliveries": []})
        entry["deliveries"].append(delivery.as_dict())
    return jsonify(events=list(listed.values()))


def configure(stripe, wanted):
    if "url" in wanted:
        if wanted["url"] is not None:
            text(wanted, "url")
        stripe.webhooks.url = wanted["url"]
    secrets = wanted.get("secrets", {})
    if not isinstance(secrets, dict):
        raise ControlError("secrets must be an object with live, test or both.")
    for mode in known(secrets, "live", "test"):
        stripe.webhooks.secrets[mode == "live"] = text(secrets, mode)
    if wanted.get("hold") is True:
        stripe.webhooks.hold()
    elif "hold" in wanted:
        stripe.webhooks.release()


def release(stripe, wanted):
    """`release` is "in-order" or "reversed"; `duplicate` sends each that many times."""
    if "release" not in wanted:
        return
    order, copies = wanted["release"], wanted.get("duplicate", 1)
    if order not in ("in-order", "reversed"):
        raise ControlError("release is in-order or reversed.")
    if type(copies) is not int or not 1 <= copies <= 10:
        raise ControlError("duplicate must be a whole number from 1 to 10.")
    stripe.webhooks.release(backwards=order == "reversed", copies=copies)


def send(stripe, spec):
    """Send a custom event: with an id, a time or an object of its own, aged, or wrongly signed."""
    if not isinstance(spec, dict):
        raise ControlError("send must be an object.")
    event = made_to_measure(stripe, known(spec, *SPEC))
    overrides = {name: spec[name] for name in ("age", "secret", "signature") if name in spec}
    number(overrides.get("age", 0), "age")
    for name in ("secret", "signature"):
        if overrides.get(name) is not None:
            text(overrides, name)
    stripe.webhooks.send(event, overrides)
    return event


def made_to_measure(stripe, spec):
    livemode = spec.get("livemode", False)
    if not isinstance(livemode, bool):
        raise ControlError("livemode must be true or false.")
    kind = text(spec, "type")
    account = find_account(stripe, spec.get("account"))
    about = spec.get("object") or natural_object(stripe, kind, account, livemode)
    if not isinstance(about, dict):
        raise ControlError("object must be an object.")
    created = number(spec.get("created", stripe.clock.real()), "created")
    event = events.event(kind, account.id, livemode, about, created)
    return {**event, "id": text(spec, "id")} if "id" in spec else event


def natural_object(stripe, kind, account, livemode):
    if kind.startswith("account.application."):
        return events.application_object(stripe.application(livemode))
    return events.as_stripe_shows(account)


def describe(stripe):
    hooks = stripe.webhooks
    return {
        "url": hooks.url,
        "secrets": {"live": hooks.secrets[True], "test": hooks.secrets[False]},
        "held": None if hooks.held is None else len(hooks.held),
    }


def seconds(value):
    if 0 <= number(value, "wait") <= LONGEST_WAIT:
        return value
    raise ControlError(f"wait must be a number of seconds up to {LONGEST_WAIT}.")
