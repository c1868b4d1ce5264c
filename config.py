"""
The settings of the service. No other module reads environment variables of ours.

`load_config()` reads and checks all of them and reports every fault in one message.
`config_checks.py` says what is refused; `config_machine.py` takes what the machine gives.
"""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from environs import Env, EnvValidationError
from marshmallow.validate import OneOf, Range, Regexp
from sqlalchemy import URL

import config_checks as checks
from config_machine import ConfigError as ConfigError  # callers catch it by this module
from config_machine import kept_secret, private_folder, read_dotenv, usable_processors

ROOT = Path(__file__).resolve().parent
INSTANCE = ROOT / "instance"
FRONTEND_IN_DEVELOPMENT = ("http://localhost:4200", "http://127.0.0.1:4200")
# The page at which the frontend takes up the code that Stripe sends the browser back with.
FRONTEND_REDIRECT = "/torii/redirect.html"
RESERVED_THREADS = 20  # never wait for Stripe, so that reads always find a free one
FEWEST_THREADS = 40


@dataclass(frozen=True)
class Config:
    """Every setting; times are in seconds, lists are tuples, URLs have no trailing slash."""

    app_env: str
    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    jwt_secret_key: str = field(repr=False)
    encryption_keys: tuple[str, ...] = field(repr=False)
    stripe_connect_url: str
    stripe_api_url: str
    stripe_timeout: float
    stripe_require_state: bool
    stripe_redirect_uris: tuple[str, ...]
    public_url: str
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    trusted_proxies: int
    redis_url: str = field(repr=False)
    metrics_token: str = field(repr=False)
    open_event_database_url: str = field(repr=False)
    open_event_mirror: bool
    open_event_jwt_secret_key: str = field(repr=False)
    database_pool_size: int
    stripe_proxy: str
    log_level: str
    log_format: str
    host: str
    port: int
    web_concurrency: int
    web_threads: int

    @property
    def is_production(self) -> bool:
        """Whether this process may handle real money."""
        return self.app_env == "production"

    @property
    def is_beside_open_event(self) -> bool:
        """Whether Open Event Server's ids may come to be known here: any of its settings is set."""
        return bool(
            self.open_event_database_url or self.open_event_mirror or self.open_event_jwt_secret_key
        )

    @property
    def exchanges_in_flight(self) -> int:
        """How many calls to Stripe one process makes at the same time."""
        return self.web_threads - RESERVED_THREADS

    @property
    def bind(self) -> str:
        """The server's `host:port`, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


NAMES = tuple(each.name.upper() for each in fields(Config))


def load_config(environ: Mapping[str, str] | None = None) -> Config:
    """
    Return the configuration that *environ* describes: by default `.env`, overridden by the
    environment of the process.

    Outside production, keys that are not set are generated once and kept under `instance/`,
    readable by their owner alone.

    Raises ConfigError, which names every fault.
    """
    if environ is None:
        environ = {**read_dotenv(ROOT / ".env"), **os.environ}
    given = {name: text for name, text in environ.items() if text.strip()}
    values, faults = _read(given)
    faults += checks.faults_of(values, environ)
    if faults:
        raise ConfigError(faults)
    if "DATABASE_URL" not in given:
        private_folder(INSTANCE)
    values = _with_secrets(values)
    if checks.judge_keys(values):
        raise ConfigError(["instance/encryption_key: holds no key."])
    return Config(**values)


class _MappingEnv(Env):
    """environs, reading a mapping instead of the environment of the process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._given = environ

    def _get_value(self, env_key: str, default: Any) -> Any:
        return self._given.get(env_key, default)

    def items(self, name: str) -> tuple[str, ...]:
        """Return the items of a comma-separated list, trimmed."""
        return tuple(item.strip() for item in self.str(name, "").split(",") if item.strip())

    def base_url(self, name: str, default: str) -> str:
        """Return an address without its trailing slash, so that paths can be appended."""
        return self.str(name, default).rstrip("/")


def _read(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return the values and what cannot be read; a setting with a fault keeps its default."""
    env = _MappingEnv(environ)
    values = {**_service(env), **_stripe(env), **_server(env)}
    try:
        env.seal()
    except EnvValidationError as error:
        messages: Mapping[str, list[str]] = error.error_messages  # type: ignore[assignment]
        faults = [f"{name}: {' '.join(told)}" for name, told in messages.items()]
        return _read({k: text for k, text in environ.items() if k not in messages})[0], faults
    return _with_defaults(values, has_origins="CORS_ORIGINS" in environ), []


def _service(env: _MappingEnv) -> dict[str, Any]:
    sqlite = URL.create("sqlite", database=str(INSTANCE / "app.db"))  # quotes %, ? and # in it
    environments = ["development", "testing", "production"]
    levels = ["debug", "info", "warning", "error", "critical"]
    ascii_only = Regexp(r"[!-~]*\Z", error="Only visible ASCII characters.")
    return {
        "app_env": env.str("APP_ENV", "development", validate=OneOf(environments)),
        "database_url": _with_psycopg2(env.str("DATABASE_URL", sqlite.render_as_string(False))),
        "database_pool_size": env.int("DATABASE_POOL_SIZE", 20, validate=Range(1, 1000)),
        "secret_key": env.str("SECRET_KEY", ""),
        "jwt_secret_key": env.str("JWT_SECRET_KEY", ""),
        "encryption_keys": env.items("ENCRYPTION_KEYS"),
        "redis_url": env.str("REDIS_URL", ""),
        "metrics_token": env.str("METRICS_TOKEN", "", validate=ascii_only),
        "open_event_database_url": _with_psycopg2(env.str("OPEN_EVENT_DATABASE_URL", "")),
        "open_event_mirror": env.bool("OPEN_EVENT_MIRROR", False),
        "open_event_jwt_secret_key": env.str("OPEN_EVENT_JWT_SECRET_KEY", ""),
        "log_level": env.str("LOG_LEVEL", "info", validate=OneOf(levels)),
        "log_format": env.str("LOG_FORMAT", "", validate=OneOf(["json", "console"])),
    }


def _stripe(env: _MappingEnv) -> dict[str, Any]:
    return {
        "stripe_connect_url": env.base_url("STRIPE_CONNECT_URL", "https://connect.stripe.com"),
        "stripe_api_url": env.base_url("STRIPE_API_URL", "https://api.stripe.com"),
        "stripe_timeout": env.float("STRIPE_TIMEOUT", 20.0, validate=Range(0.1, 300)),
        "stripe_require_state": env.bool("STRIPE_REQUIRE_STATE", False),
        "stripe_redirect_uris": env.items("STRIPE_REDIRECT_URIS"),
        "stripe_proxy": env.base_url("STRIPE_PROXY", ""),
    }


def _server(env: _MappingEnv) -> dict[str, Any]:
    processes = usable_processors()
    threads = Range(FEWEST_THREADS, 5000)
    return {
        "public_url": env.base_url("PUBLIC_URL", ""),
        "cors_origins": env.items("CORS_ORIGINS"),
        "allowed_hosts": env.items("ALLOWED_HOSTS"),
        "trusted_proxies": env.int("TRUSTED_PROXIES", 0, validate=Range(0, 10)),
        "host": env.str("HOST", "127.0.0.1").strip().removeprefix("[").removesuffix("]"),
        "port": env.int("PORT", 5000, validate=Range(1, 65535)),
        "web_concurrency": env.int("WEB_CONCURRENCY", processes, validate=Range(1, 256)),
        "web_threads": env.int("WEB_THREADS", 320, validate=threads),
    }


def _with_defaults(values: dict[str, Any], *, has_origins: bool) -> dict[str, Any]:
    """Fill in the defaults that follow from other settings; None where that one has a fault."""
    in_development = values["app_env"] == "development"
    if in_development and not has_origins:
        values["cors_origins"] = FRONTEND_IN_DEVELOPMENT
    loopback = "[::1]" if values["host"] == "::1" else "127.0.0.1"
    values["public_url"] = values["public_url"] or f"http://{loopback}:{values['port']}"
    own_url = checks.split_url(values["public_url"])
    own_host = (own_url and own_url.hostname) or ""
    values["allowed_hosts"] = (*(values["allowed_hosts"] or (own_host,)), *checks.LOOPBACK_HOSTS)
    frontend = values["cors_origins"] if in_development else ()
    values["stripe_redirect_uris"] = values["stripe_redirect_uris"] or (
        f"{values['public_url']}/connect/callback",
        *(f"{origin}{FRONTEND_REDIRECT}" for origin in frontend),
    )
    values["log_format"] = values["log_format"] or (
        "json" if values["app_env"] == "production" else "console"
    )
    return values


def _with_psycopg2(url: str) -> str:
    """`postgres://` (as hosting platforms write it) and `postgresql://` mean psycopg2."""
    scheme, separator, rest = url.strip().partition("://")
    if scheme in ("postgres", "postgresql"):
        scheme = "postgresql+psycopg2"
    return f"{scheme}{separator}{_with_hosts_apart(rest)}"


def _with_hosts_apart(address: str) -> str:
    """Several hosts (`a:1,b:2`), which libpq takes, are written as SQLAlchemy takes them."""
    found = re.match(r"(?P<user>[^/?]*@)?(?P<hosts>[^@/?]+,[^@/?]+)(?P<path>/[^?]*)?\??", address)
    if found is None:
        return address
    several = "&".join(f"host={host}" for host in found["hosts"].split(","))
    query = address[found.end() :]
    return f"{found['user'] or ''}{found['path'] or '/'}?{several}" + (f"&{query}" if query else "")


def _with_secrets(values: dict[str, Any]) -> dict[str, Any]:
    """Return *values* with the keys that a developer has not set."""
    fresh_key = Fernet.generate_key().decode()
    secret_key = values["secret_key"] or kept_secret(
        INSTANCE / "secret_key", secrets.token_urlsafe(48)
    )
    return {
        **values,
        "secret_key": secret_key,
        "jwt_secret_key": values["jwt_secret_key"] or secret_key,
        "encryption_keys": values["encryption_keys"]
        or (kept_secret(INSTANCE / "encryption_key", fresh_key),),
    }
