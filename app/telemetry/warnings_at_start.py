"""Warnings at start: settings that are allowed in production, but rarely wanted."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from app.security.logs import log
from config import Config

STRIPE_HOSTS = {
    "stripe_connect_url": "connect.stripe.com",
    "stripe_api_url": "api.stripe.com",
}


def warn(config: Config) -> None:
    """Log a warning for each setting in *config* that deserves a second look."""
    if config.is_production:
        for message in _doubts(config):
            log.warning("configuration", message=message)


def _doubts(config: Config) -> Iterator[str]:
    if not config.redis_url:
        yield (
            "REDIS_URL is not set: each process (WEB_CONCURRENCY makes it"
            f" {config.web_concurrency} here) counts failed sign-ins for itself."
        )
    if not config.metrics_token:
        yield "METRICS_TOKEN is not set: anybody who reaches this service can read /metrics."
    if not config.stripe_require_state:
        yield (
            "STRIPE_REQUIRE_STATE is false: a link is accepted without a state of ours, and then"
            " only the frontend's own check binds it to the browser that asked for it."
        )
    for name, host in STRIPE_HOSTS.items():
        given = urlsplit(getattr(config, name)).hostname
        if given != host:
            yield f"{name.upper()} leads to {given}, not {host}: keys and codes are sent there."
