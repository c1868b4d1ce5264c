"""
`make run`: the service and the local Stripe, seeded so that an account can be linked at once.

Everything is kept under `instance/`; running it again keeps it. Ctrl-C ends both servers.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import requests
from flask_migrate import upgrade
from sqlalchemy import select

from app import create_app
from app.auth.policy import Caller
from app.db.migrations import bind_migrations
from app.db.transactions import transaction
from app.devtools.stripe_emulator import DEFAULT_PORT, Options, create_emulator
from app.extensions import db
from app.models import Event, Setting, User
from app.services.events.edit import create_event
from app.services.users import create_user
from config import INSTANCE, ROOT, Config, ConfigError, load_config

LOOPBACK = "127.0.0.1"
SERVICE = ["gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]
ADMIN = ("admin@example.com", "demo-admin")
ORGANIZER = ("organizer@example.com", "demo-organizer")
EVENT = {
    "name": "Demo Summit",
    "timezone": "Europe/Berlin",
    "state": "published",
    "payment_country": "DE",
    "payment_currency": "EUR",
    "can_pay_by_stripe": True,
}


@click.command()
@click.option(
    "--stripe-port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    envvar="STRIPE_PORT",
    show_default=True,
    show_envvar=True,
)
@click.option("--stripe-state", default=str(INSTANCE / "local-stripe.json"), show_default=True)
def main(stripe_port: int, stripe_state: str) -> None:
    """Migrate, seed, start both servers, say where they are, and wait for Ctrl-C."""
    stripe = f"http://{LOOPBACK}:{stripe_port}"
    config = read_config(stripe)
    refuse_taken(config.host, config.port, "the service", "PORT")
    refuse_taken(LOOPBACK, stripe_port, "the local Stripe", "STRIPE_PORT")
    if config.port == stripe_port:
        raise SystemExit(f"PORT and STRIPE_PORT are both {stripe_port}. Change one of them.")
    event, secrets = seed(config)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may start us with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    options = ["--port", str(stripe_port), "--state", stripe_state, *stripe_options(config)]
    local_stripe = ["app.devtools.stripe_emulator", *options]
    servers = [start(local_stripe, stdout=subprocess.DEVNULL), start(SERVICE)]
    try:
        wait_until_up(servers, [f"{stripe}/_control/faults", f"{address(config)}/health/ready"])
        prepare_stripe(stripe, secrets)
        tell(config, event)
        while all(server.poll() is None for server in servers):
            time.sleep(0.2)
        raise SystemExit("A server has ended by itself; what it said stands above.")
    except KeyboardInterrupt:
        click.echo("Ending.")
    finally:
        end(servers)


def read_config(stripe: str) -> Config:
    """Return the settings with *stripe* for Stripe; what is started later inherits them."""
    os.environ |= {"STRIPE_CONNECT_URL": stripe, "STRIPE_API_URL": stripe}
    os.environ["WEB_CONCURRENCY"] = os.environ.get("WEB_CONCURRENCY") or "1"
    try:
        config = load_config()
    except ConfigError as faults:
        raise SystemExit(str(faults)) from None
    if config.is_production:
        raise SystemExit("The demo has passwords that everybody knows: not in production.")
    return config


def refuse_taken(host: str, port: int, what: str, variable: str) -> None:
    """Exit with a sentence that says what to do if *what* cannot listen at its address."""
    try:
        (family, *_, where), *_ = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM
        )
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as failure:
        if failure.errno == errno.EADDRINUSE:
            raise SystemExit(
                f"Port {port}, where {what} would listen, is in use already. End the other program "
                f"(another demo?), or choose another port: {variable}={port + 1} make run"
            ) from None
        raise SystemExit(
            f"{what.capitalize()} cannot listen on {host} port {port}: {failure.strerror}."
        ) from None


def stripe_options(config: Config) -> list[str]:
    """Return where the local Stripe redirects to, and sends its events."""
    uris = [f"--redirect-uri={uri}" for uri in config.stripe_redirect_uris]
    return [*uris, "--webhook-url", f"{address(config)}/stripe/webhooks"]


def prepare_stripe(stripe: str, secrets: dict[str, str]) -> None:
    """Configure its webhook secrets, and live mode without https, which nothing here has."""
    with requests.Session() as session:
        session.trust_env = False
        for path, body in (
            ("webhooks", {"secrets": secrets}),
            ("switches", {"live_http_redirects": True}),
        ):
            answer = session.post(f"{stripe}/_control/{path}", json=body, timeout=10)
            answer.raise_for_status()


def seed(config: Config) -> tuple[Event, dict[str, str]]:
    """Create what the demo needs where it is missing; what is there stays as it is.

    Returns the event, and the webhook secrets by mode.
    """
    app = create_app(replace(config, log_level="error"))
    bind_migrations(app)
    with app.app_context():
        upgrade()
        ensure_user(*ADMIN, is_admin=True)
        organizer = ensure_user(*ORGANIZER)
        secrets = register_platform()
        event = db.session.scalars(select(Event).order_by(Event.id)).first()
        event = event or create_event(
            {**EVENT, **{name: a_day(hours) for name, hours in (("starts_at", 0), ("ends_at", 8))}},
            Caller(id=organizer.id),
        )
        return event, secrets


def ensure_user(email: str, password: str, *, is_admin: bool = False) -> User:
    """Return the demo's user with this e-mail address."""
    found = db.session.scalars(select(User).where(User.email == email)).one_or_none()
    return found or create_user(email, password, is_admin=is_admin)


def register_platform() -> dict[str, str]:
    """Write the local Stripe's keys to the settings, unless others were set.

    Returns the webhook secrets of both modes as the settings have them.
    """
    keys = create_emulator(Options()).extensions["local_stripe"].settings()
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        is_new = setting.sealed_stripe_test_secret_key is None
        for name, value in keys.items():
            column = name.replace("-", "_")
            if is_new or (column.endswith("webhook_secret") and not getattr(setting, column)):
                setattr(setting, column, value)
        live, test = setting.stripe_webhook_secret, setting.stripe_test_webhook_secret
        return {"live": live, "test": test}


def a_day(hours: int) -> datetime:
    """Return a moment a month from now, *hours* after nine o'clock."""
    day = datetime.now(UTC) + timedelta(days=30)
    return day.replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(hours=hours)


def start(arguments: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a server that Ctrl-C does not reach: we end it ourselves, so that links finish."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, **options)


def wait_until_up(servers: list[subprocess.Popen[bytes]], urls: list[str]) -> None:
    """Wait until every URL answers 200. Exits if a server ends first."""
    for url in urls:
        while not answers(url):
            if any(server.poll() is not None for server in servers):
                raise SystemExit("A server could not start; what it said stands above.")
            time.sleep(0.1)


def answers(url: str) -> bool:
    """Return whether it answers 200."""
    session = requests.Session()
    session.trust_env = False
    try:
        return session.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def end(servers: list[subprocess.Popen[bytes]]) -> None:
    """End the servers and wait for them."""
    for server in servers:
        server.terminate()
    for server in servers:
        server.wait()


def address(config: Config) -> str:
    """Return where the service answers on this machine."""
    host = config.host.strip("[]")
    host = LOOPBACK if host in ("0.0.0.0", "::") else host
    return f"http://[{host}]:{config.port}" if ":" in host else f"http://{host}:{config.port}"


def tell(config: Config, event: Event) -> None:
    """Print where everything is and who may sign in."""
    click.echo(
        f"""
The console       {config.public_url}/
The API           {address(config)}/v1  (described at /docs)
The local Stripe  {config.stripe_connect_url}  (its dashboard: /dashboard)
The event         {address(config)}/v1/events/{event.id}

Sign in as        {ORGANIZER[0]}  with the password  {ORGANIZER[1]}
               or {ADMIN[0]}      with the password  {ADMIN[1]}

README.md links an account to the event in five commands. Ctrl-C ends both servers.
"""
    )


if __name__ == "__main__":
    main()
