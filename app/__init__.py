"""The service: `create_app` is the one place where its parts meet."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from flask import Flask

from app.auth import guard
from app.auth.rate_limits import RateLimits
from app.clients.open_event import OpenEventDatabase
from app.clients.stripe import StripeConnect
from app.db.engine import engine_options, engine_url, watch
from app.extensions import db
from app.http import bulkheads, edge, error_handlers, metrics, on_demand, routing
from app.http.application import Application
from app.http.bulkheads import BurstBulkhead
from app.importing.ids import watch_inserts
from app.importing.on_demand import OnDemand
from app.jsonapi.documents import StrictJSONProvider
from app.routes import ROUTES
from app.security.bulkhead import Bulkhead
from app.security.crypto import Cipher
from app.security.logs import configure_logging
from app.services.accounts.refresh import RefreshScheduler
from app.services.mirror.courier import Courier
from app.telemetry import warnings_at_start
from app.web.console import Console
from config import Config, load_config


def create_app(config: Config | None = None, *, is_serving: bool = True) -> Flask:
    """
    Return the WSGI application for *config* (default: what the environment says).

    One that serves warns of settings that are rarely wanted. Raises ConfigError if the
    configuration cannot be used.
    """
    config = config or load_config()
    configure_logging(config.log_level, config.log_format)
    if is_serving:
        warnings_at_start.warn(config)
    app = Application(__name__, static_folder=None, template_folder="web/templates")
    app.extensions["config"] = config
    app.extensions["cipher"] = Cipher(config.encryption_keys)
    app.extensions["rate_limits"] = RateLimits(config.redis_url)
    app.extensions["bursts"] = BurstBulkhead(Bulkhead(bulkheads.AT_ONCE, bulkheads.PATIENCE))
    _bind_remote_systems(app, config)
    _bind_extensions(app, config)
    error_handlers.init_app(app)
    edge.init_app(app, config)
    metrics.init_app(app)
    bulkheads.init_app(app, app.extensions["bursts"])
    guard.init_app(app)
    app.extensions["console"] = Console(app, config)
    on_demand.init_app(app)
    app.json = StrictJSONProvider(app)
    routing.register(app, ROUTES)
    return app


def _bind_remote_systems(app: Flask, config: Config) -> None:
    """Bind Stripe, and Open Event Server's database where there is one; nothing is asked yet."""
    bursts: BurstBulkhead = app.extensions["bursts"]
    app.extensions["stripe"] = StripeConnect(
        connect_url=config.stripe_connect_url,
        api_url=config.stripe_api_url,
        timeout=config.stripe_timeout,
        bulkhead=Bulkhead(config.exchanges_in_flight),
        proxy=config.stripe_proxy,
        waiting=bursts.paused,
    )
    app.extensions["refreshes"] = RefreshScheduler(
        app.extensions["stripe"], partial(_in_background, app, bursts)
    )
    url = config.open_event_database_url
    app.extensions["open_event"] = OnDemand(url) if url else None
    app.extensions["mirror"] = (
        Courier(OpenEventDatabase(url), app.app_context) if config.open_event_mirror else None
    )


@contextmanager
def _in_background(app: Flask, bursts: BurstBulkhead) -> Iterator[None]:
    """The context of background work: that of *app*, with a place among bursts."""
    with app.app_context(), bursts.admitted():
        yield


def _bind_extensions(app: Flask, config: Config) -> None:
    app.config.from_mapping(
        SECRET_KEY=config.secret_key,
        SQLALCHEMY_DATABASE_URI=engine_url(config.database_url),
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(config.database_url, config.database_pool_size),
    )
    db.init_app(app)
    with app.app_context():
        watch(db.engine)
        if config.is_beside_open_event:
            watch_inserts(db.engine)
