"""The local Stripe as one object: its state, and what it can do."""

import json

from flask import Response

from . import events, memory
from .callers import is_connected
from .cast import PLATFORM, application_named, new_ledger
from .clock import Clock
from .faults import Faults
from .idempotency import IdempotencyKeys
from .onboarding import Onboarding
from .recording import RequestLog
from .switches import Switches
from .webhooks import Webhooks


class LocalStripe:
    """`host_names`: what requests may call it besides this machine's own names."""

    def __init__(
        self, *, seed, redirect_uris, clock, webhook_url=None, state_file=None, host_names=()
    ):
        self.seed = seed
        self.host_names = tuple(host_names)
        self.state_file = state_file
        self.redirect_uris = list(redirect_uris)
        self.clock = Clock(clock)
        self.faults = Faults()
        self.requests = RequestLog(self.is_made_up)
        self.switches = Switches()
        self.replays = {}
        self.keys = IdempotencyKeys()
        self.onboarding = Onboarding()
        self.ledger = new_ledger(seed, self.clock.real())
        self.webhooks = Webhooks(self.clock, self.switches, self.application, webhook_url)
        if state_file is not None:
            memory.restore(self.ledger, self.keys, state_file)

    def application(self, livemode):
        """Return our platform's application in one mode."""
        return application_named(self.ledger, PLATFORM, livemode)

    def is_made_up(self, secret):
        """Return whether this key or token is one of ours, which is worthless anywhere else."""
        ledger = self.ledger
        is_key = ledger.application_of_key(secret) is not None
        return is_key or secret in ledger.tokens or secret in ledger.refresh_tokens

    def settings(self):
        """Return what to PATCH to the service's settings, for both modes."""
        live, test = self.application(True), self.application(False)
        return {
            "stripe-client-id": live.client_id,
            "stripe-secret-key": live.secret_key,
            "stripe-publishable-key": live.publishable_key,
            "stripe-test-client-id": test.client_id,
            "stripe-test-secret-key": test.secret_key,
            "stripe-test-publishable-key": test.publishable_key,
            "stripe-webhook-secret": self.webhooks.secrets[True],
            "stripe-test-webhook-secret": self.webhooks.secrets[False],
        }

    def offered_accounts(self):
        with self.ledger.lock:
            return [account for account in self.ledger.accounts.values() if account.is_offered]

    def redirect_uris_of(self, application):
        """Return the redirect URIs; live mode has no http ones, unless a switch says so."""
        if not application.livemode or self.switches["live_http_redirects"]:
            return self.redirect_uris
        return [uri for uri in self.redirect_uris if uri.startswith("https://")]

    def disconnect(self, client_id, account_id):
        """
        Disconnect an account, as its owner does in the Dashboard; a webhook tells the platform.
        """
        with self.ledger.lock:
            connection = self.ledger.disconnect(client_id, account_id)
        if connection is not None:
            self.webhooks.application_event("account.application.deauthorized", connection)
        return connection

    def restrict(self, account, disabled_reason):
        """Restrict the account's charges, or lift that with None."""
        with self.ledger.lock:
            account.disabled_reason = disabled_reason
        self.account_changed(account)

    def account_changed(self, account):
        """Tell every platform that is connected to the account, by account.updated."""
        with self.ledger.lock:
            held = [each for each in self.ledger.connections.values() if each.account is account]
        for connection in held:
            self.webhooks.account_updated(connection)

    def payment_event(self, kind, intent, request_id=None):
        """Tell the platforms connected to the payment's account; a Connect endpoint hears of no
        payment to the platform itself."""
        with self.ledger.lock:
            application = self.application(intent.livemode)
            is_ours = is_connected(self, application, intent.account_id)
        if is_ours:
            now = self.clock.real()
            self.webhooks.send(events.payment_event(kind, intent, now, request_id))

    def json(self, body, status=200):
        """Return JSON as Stripe prints it: indented by two, with a charset on errors only."""
        kind = "application/json" if status == 200 else "application/json; charset=utf-8"
        return Response(json.dumps(body, indent=2) + "\n", status, content_type=kind)

    def reset(self):
        """Restore the initial state; keys and the webhook URL and secrets stay."""
        self.faults.lift_all()
        self.requests.clear()
        self.replays.clear()
        self.keys.forget()
        self.switches.change(dict.fromkeys(self.switches.as_dict()))
        self.clock.advance(-self.clock.offset)
        self.onboarding.forget()
        self.ledger = new_ledger(self.seed, self.clock.real())
        self.webhooks.forget()

    def stop(self):
        """Stop deliveries and save the state; the server has stopped by then."""
        self.webhooks.stop()
        self.save()

    def save(self):
        """Save the state, if there is a file for it."""
        if self.state_file is not None:
            memory.save(self.ledger, self.keys, self.state_file)
