"""Running the local Stripe: create it, serve it, say where it is.

    python -m app.devtools.stripe_emulator --port 12111

It imports nothing from the rest of the service, and nothing in the service but the command that
starts it imports it: the service reaches it by HTTP alone. See docs/local-stripe.md.
"""

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from flask import Flask

from .local_stripe import (
    account_links,
    accounts,
    authorize,
    control,
    control_webhooks,
    dashboard,
    describe,
    elsewhere,
    hooks,
    oauth,
    payment_intents,
)
from .local_stripe.server import Server
from .local_stripe.world import LocalStripe

PARTS = (
    authorize,
    oauth,
    accounts,
    account_links,
    payment_intents,
    control,
    control_webhooks,
    dashboard,
    elsewhere,
)
DEFAULT_PORT = 12111
DEFAULT_REDIRECT_URIS = (
    "http://127.0.0.1:5000/connect/callback",
    "http://localhost:5000/connect/callback",
    "http://localhost:4200/torii/redirect.html",
)


@dataclass(frozen=True)
class Options:
    """The options of a local Stripe.

    `clock` gives seconds since 1970. The same `seed` gives the same keys, client ids and
    accounts after every start; codes and tokens are always fresh. With a `state_file`, accounts
    and connections survive a restart too. `host_names`: other names by which it may be asked.
    """

    redirect_uris: tuple = DEFAULT_REDIRECT_URIS
    webhook_url: str | None = None
    seed: str = "local-stripe"
    clock: Callable[[], float] = time.time
    state_file: str | None = None
    host_names: tuple = ()


def create_emulator(options=None):
    """Return the WSGI application; its `extensions["local_stripe"]` is the Stripe behind it."""
    options = options or Options()
    app = Flask("app.devtools.local_stripe")
    app.extensions["local_stripe"] = LocalStripe(
        seed=options.seed,
        redirect_uris=options.redirect_uris,
        webhook_url=options.webhook_url,
        clock=options.clock,
        state_file=options.state_file,
        host_names=options.host_names,
    )
    hooks.install(app)
    for part in PARTS:
        app.register_blueprint(part.blueprint)
    return app


class Emulator:
    """A local Stripe that is being served from a thread of this process; for tests."""

    def __init__(self, options=None, *, host="127.0.0.1", port=0):
        options = options or Options()
        self.app = create_emulator(replace(options, host_names=(*options.host_names, host.lower())))
        self.stripe = self.app.extensions["local_stripe"]
        self.server = Server(host, port, self.app)
        self.url = self.server.url
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.stripe.faults.lift_all()
        self.server.stop()
        self._thread.join()
        self.stripe.stop()


def announcement(url, stripe):
    """Return what a person or a script needs to set the service up, in one line."""
    return {
        "url": url,
        "settings": stripe.settings(),
        "redirect_uris": stripe.redirect_uris,
        "accounts": [describe.account(each) for each in stripe.offered_accounts()],
    }


def run(
    port=DEFAULT_PORT,
    redirect_uris=(),
    webhook_url=None,
    host="127.0.0.1",
    seed=Options.seed,
    state_file=None,
    host_names=(),
):
    """Print the announcement and serve until SIGINT or SIGTERM.

    Without *redirect_uris* the usual local ones are registered; port 0 picks a free one.
    """
    options = Options(
        tuple(redirect_uris) or DEFAULT_REDIRECT_URIS,
        webhook_url=webhook_url,
        seed=seed,
        state_file=state_file,
        host_names=tuple(host_names),
    )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *received: ended.set())
    with Emulator(options, host=host, port=port) as emulator:
        sys.stdout.write(json.dumps(announcement(emulator.url, emulator.stripe)) + "\n")
        sys.stdout.flush()
        # In short steps, because a signal that another thread catches would not wake us.
        while not ended.wait(0.2):
            pass


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="stripe_emulator", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 picks a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--host-name", action="append", default=[], metavar="NAME")
    parser.add_argument("--redirect-uri", action="append", default=[], metavar="URI")
    parser.add_argument("--webhook-url", metavar="URL")
    parser.add_argument("--seed", default=Options.seed, help="other keys and account ids")
    parser.add_argument("--state", metavar="FILE", help="keep accounts and connections in it")
    given = parser.parse_args(arguments)
    run(
        port=given.port,
        redirect_uris=given.redirect_uri,
        webhook_url=given.webhook_url,
        host=given.host,
        seed=given.seed,
        state_file=given.state,
        host_names=[name.lower() for name in given.host_name],
    )


if __name__ == "__main__":
    main()
