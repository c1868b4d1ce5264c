"""
`make run`: the service and a local Stripe, seeded so that an account can be linked at once.

Everything is kept under `instance/`; running it again keeps it. Ctrl-C ends both servers.
"""

import os
import signal
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
from config import INSTANCE, ROOT, Config, load_config

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
@click.option("--stripe-port", default=DEFAULT_PORT, show_default=True)
@click.option("--stripe-state", default=str(INSTANCE / "local-stripe.json"), show_default=True)
def main(stripe_port: int, stripe_state: str) -> None:
    """Migrate, seed, start both servers, say where they are, and wait for Ctrl-C."""
    stripe = f"http://127.0.0.1:{stripe_port}"
    environ = {**os.environ, "STRIPE_CONNECT_URL": stripe, "STRIPE_API_URL": stripe}
    environ["WEB_CONCURRENCY"] = environ.get("WEB_CONCURRENCY") or "1"
    config = load_config(environ)
    if config.is_production:
        raise SystemExit("The demo has passwords that everybody knows: not in production.")
    urls = [f"{stripe}/_control/faults", f"{address(config)}/health/ready"]
    for url in filter(answers, urls):
        raise SystemExit(f"Something is served at {url} already. Does the demo run elsewhere?")
    event = seed(config)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may start us with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    local_stripe = ["app.devtools.stripe_emulator", "--port", str(stripe_port)]
    local_stripe += [f"--redirect-uri={uri}" for uri in config.stripe_redirect_uris]
    servers = [
        start([*local_stripe, "--state", stripe_state], environ, stdout=subprocess.DEVNULL),
        start(SERVICE, environ),
    ]
    try:
        wait_until_up(servers, urls)
        tell(config, event)
        while all(server.poll() is None for server in servers):
            time.sleep(0.2)
        raise SystemExit("A server has ended by itself; what it said stands above.")
    except KeyboardInterrupt:
        click.echo("Ending.")
    finally:
        end(servers)


def seed(config: Config) -> Event:
    """Make what the demo needs where it is missing; what is there stays as it is."""
    app = create_app(replace(config, log_level="error"))
    bind_migrations(app)
    with app.app_context():
        upgrade()
        ensure_user(*ADMIN, is_admin=True)
        organizer = ensure_user(*ORGANIZER)
        register_platform()
        event = db.session.scalars(select(Event).order_by(Event.id)).first()
        return event or create_event(
            {**EVENT, **{name: a_day(hours) for name, hours in (("starts_at", 0), ("ends_at", 8))}},
            Caller(id=organizer.id),
        )


def ensure_user(email: str, password: str, *, is_admin: bool = False) -> User:
    """Return the demo's user with this e-mail address."""
    found = db.session.scalars(select(User).where(User.email == email)).one_or_none()
    return found or create_user(email, password, is_admin=is_admin)


def register_platform() -> None:
    """Give the settings the local Stripe's keys, unless somebody has set others."""
    keys = create_emulator(Options()).extensions["local_stripe"].settings()
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        if setting.sealed_stripe_test_secret_key is None:
            for name, value in keys.items():
                setattr(setting, name.replace("-", "_"), value)


def a_day(hours: int) -> datetime:
    """Return a moment a month from now, *hours* after nine o'clock."""
    day = datetime.now(UTC) + timedelta(days=30)
    return day.replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(hours=hours)


def start(arguments: list[str], environ: dict[str, str], **options: Any) -> subprocess.Popen:
    """Start a server that Ctrl-C does not reach: we end it ourselves, so that links finish."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.Popen(command, env=environ, cwd=ROOT, start_new_session=True, **options)


def wait_until_up(servers: list[subprocess.Popen], urls: list[str]) -> None:
    """Wait until every address answers 200; give up when a server ends."""
    for url in urls:
        while not answers(url):
            if any(server.poll() is not None for server in servers):
                raise SystemExit("A server could not start; is its port in use?")
            time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether there is an answer, and a good one."""
    session = requests.Session()
    session.trust_env = False
    try:
        return session.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def end(servers: list[subprocess.Popen]) -> None:
    """End the servers and wait for them."""
    for server in servers:
        server.terminate()
    for server in servers:
        server.wait()


def address(config: Config) -> str:
    """Return where the service answers on this machine."""
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host
    return f"http://{host}:{config.port}"


def tell(config: Config, event: Event) -> None:
    """Print where everything is and who may sign in."""
    click.echo(
        f"""
The service       {address(config)}
The local Stripe  {config.stripe_connect_url}  (its dashboard: /dashboard)
The event         {address(config)}/v1/events/{event.id}

Sign in as        {ORGANIZER[0]}  with the password  {ORGANIZER[1]}
               or {ADMIN[0]}      with the password  {ADMIN[1]}

README.md links an account to the event in five commands. Ctrl-C ends both servers.
"""
    )


if __name__ == "__main__":
    main()
