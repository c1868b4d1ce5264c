"""A platform's webhook endpoint, for tests that wait for what the local Stripe sends."""

import json
import threading

import stripe
from werkzeug import Response


class Listener:
    """A platform's webhook endpoint: keeps what came, answers as it is told."""

    def __init__(self, server):
        self.url = server.url_for("/hooks")
        self.received = []
        self.statuses = []
        self._arrived = threading.Condition()
        server.expect_request("/hooks").respond_with_handler(self._take)

    def _take(self, request):
        with self._arrived:
            self.received.append((request.get_data(), request.headers.get("Stripe-Signature")))
            self._arrived.notify_all()
            status = self.statuses.pop(0) if self.statuses else 200
            return Response(status=status, headers={"Location": self.url})

    def wait(self, count):
        """The first *count* deliveries, once they are there."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, 10)
            return self.received[:count]

    def ids(self):
        return [json.loads(body)["id"] for body, _ in self.received]


def verify(delivery, secret):
    body, signature = delivery
    return stripe.Webhook.construct_event(body, signature, secret)
