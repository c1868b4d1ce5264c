"""Signed events to one URL, delivered in the background and retried until accepted."""

import heapq
import itertools
import json
import threading
from collections import deque
from dataclasses import dataclass, field

import requests
from stripe import WebhookSignature

from . import events
from .identifiers import mode_name

RETRY_AFTER = {True: (1, 60, 600, 3600, 21_600, 86_400, 86_400), False: (1, 60, 3600)}
TIMEOUT = 10
KEPT = 10_000


@dataclass
class Delivery:
    """One event on its way to one endpoint, with every attempt so far."""

    event: dict
    endpoint: bool
    overrides: dict = field(default_factory=dict)
    state: str = "pending"
    attempts: list = field(default_factory=list)

    def as_dict(self):
        endpoint = mode_name(self.endpoint)
        return {"endpoint": endpoint, "state": self.state, "attempts": list(self.attempts)}


class Webhooks:
    """Two endpoints at one address, one per mode, each with its own secret.

    The live endpoint of a Connect platform receives test events as well.
    """

    def __init__(self, clock, switches, application_of, url=None):
        self.url = url
        self.secrets = {mode: application_of(mode).webhook_secret for mode in (True, False)}
        self.held = None
        self._platform = application_of(True).platform
        self._clock = clock
        self._switches = switches
        self._changed = clock.moved
        self._deliveries = deque(maxlen=KEPT)
        self._due = []
        self._order = itertools.count()
        self._in_flight = 0
        self._worker = None
        self._stopped = False

    # events

    def application_event(self, kind, connection):
        if connection.application.platform == self._platform:
            self.send(events.application_event(kind, connection, self._clock.real()))

    def account_updated(self, connection):
        if connection.application.platform == self._platform:
            self.send(events.account_updated(connection, self._clock.real()))

    def send(self, event, overrides=None):
        """Queue *event*, or hold it while deliveries are held."""
        if self.url is None:
            return self._keep(Delivery(event, event["livemode"], state="no endpoint"))
        endpoints = [event["livemode"]]
        if not event["livemode"] and self._switches["test_events_to_live_endpoint"]:
            endpoints.append(True)
        for endpoint in endpoints:
            delivery = Delivery(event, endpoint, overrides or {})
            self._keep(delivery)
            self._enqueue(delivery)
        return None

    def resend(self, event_id):
        """Send an event again, same id, as the Dashboard's button does; False if unknown."""
        known = next((d.event for d in self.deliveries() if d.event["id"] == event_id), None)
        if known is not None:
            self.send(known)
        return known is not None

    # holding and releasing

    def hold(self):
        with self._changed:
            self.held = [] if self.held is None else self.held

    def release(self, *, backwards=False, copies=1):
        """Release the held deliveries, in either order, each *copies* times."""
        with self._changed:
            waiting, self.held = self.held or [], None
        for delivery in reversed(waiting) if backwards else waiting:
            self._enqueue(delivery)
            for _ in range(copies - 1):
                copy = Delivery(delivery.event, delivery.endpoint, delivery.overrides)
                self._keep(copy)
                self._enqueue(copy)

    def forget(self):
        """Drop every event, sent or not."""
        with self._changed:
            self._deliveries.clear()
            self._due.clear()
            self.held = None

    # inspection

    def deliveries(self):
        with self._changed:
            return list(self._deliveries)

    def settle(self, seconds):
        """
        Wait until no delivery is under way or due; return False if that takes longer than
        *seconds*.
        """
        with self._changed:
            return self._changed.wait_for(self._is_idle, seconds)

    def _is_idle(self):
        is_due = self._due and self._due[0][0] <= self._clock.now()
        return not self._in_flight and not is_due

    # delivery

    def _keep(self, delivery):
        with self._changed:
            self._deliveries.append(delivery)

    def _enqueue(self, delivery, delay=0):
        with self._changed:
            if self.held is not None and not delivery.attempts:
                delivery.state = "held"
                self.held.append(delivery)
                return
            delivery.state = "pending"
            due = (self._clock.now() + delay, next(self._order), delivery)
            heapq.heappush(self._due, due)
            self._start_worker()
            self._changed.notify_all()

    def _start_worker(self):
        if self._worker is None and not self._stopped:
            self._worker = threading.Thread(target=self._work, name="webhooks", daemon=True)
            self._worker.start()

    def stop(self):
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            worker = self._worker
        if worker is not None:
            worker.join(2)

    def _work(self):
        with requests.Session() as session:
            session.trust_env = False
            while (delivery := self._next()) is not None:
                self._attempt(session, delivery)
                with self._changed:
                    self._in_flight -= 1
                    self._changed.notify_all()

    def _next(self):
        """Return the next delivery once it is due; None at the end."""
        with self._changed:
            while not self._stopped:
                wait = self._due[0][0] - self._clock.now() if self._due else None
                if wait is not None and wait <= 0:
                    self._in_flight += 1
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None

    def _attempt(self, session, delivery):
        attempt = self._post(session, delivery)
        delivery.attempts.append(attempt)
        delays = RETRY_AFTER[delivery.event["livemode"]]
        if 200 <= (attempt["status"] or 0) < 300:
            delivery.state = "delivered"
        elif len(delivery.attempts) > len(delays):
            delivery.state = "failed"
        else:
            self._enqueue(delivery, delays[len(delivery.attempts) - 1])

    def _post(self, session, delivery):
        """Make one attempt, with a fresh time and signature; a redirect counts as a failure."""
        payload = json.dumps(delivery.event, indent=2)
        signed_at = int(self._clock.real() - delivery.overrides.get("age", 0))
        attempt = {"at": self._clock.real(), "t": signed_at, "status": None, "error": None}
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            **self._signature(delivery, payload, signed_at),
        }
        try:
            response = session.post(
                self.url,
                data=payload.encode(),
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
            attempt["status"] = response.status_code
        except requests.RequestException as failure:
            attempt["error"] = type(failure).__name__
        return attempt

    def _signature(self, delivery, payload, signed_at):
        if "signature" in delivery.overrides:
            signature = delivery.overrides["signature"]
            return {} if signature is None else {"Stripe-Signature": signature}
        secret = delivery.overrides.get("secret") or self.secrets[delivery.endpoint]
        sign = WebhookSignature.generate_signature_header
        return {"Stripe-Signature": sign(payload, secret, signed_at)}
