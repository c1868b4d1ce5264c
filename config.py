"""
The environment, read once: the only file that knows its names.

`load_config()` reads every variable, judges all of them, and tells all faults in one message.
"""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cryptography.fernet import Fernet
from dotenv import dotenv_values
from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import OneOf, Range, Regexp

ROOT = Path(__file__).parent
INSTANCE = ROOT / "instance"
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")
FRONTEND_IN_DEVELOPMENT = ("http://localhost:4200", "http://127.0.0.1:4200")
RESERVED_THREADS = 20  # never taken by calls to Stripe, so that reads always find one free
SHORTEST_SECRET = 16
HOW_TO_MAKE_A_KEY = "Make one with: python manage.py secrets generate"
FEWEST_CHARACTERS = 6  # different ones: a random secret of 16 hex digits practically never has less
# Words of examples. In a secret made at random they practically never appear.
PLACEHOLDERS = re.compile(
    r"change.?me|default|example|insecure|password|placeholder|secret|^your[-_ ]", re.IGNORECASE
)
# The keys in Open Event Server's own installation guide.
UPSTREAM_EXAMPLES = ("741a6f7389de40a91b930869b5e32baaae6953170b6fc1b9856001598a5ef0b8",)
HOST = re.compile(r"\.?([\w-]+\.)*[\w-]+|\[?[0-9a-f:.]*:[0-9a-f:.]+\]?", re.ASCII | re.IGNORECASE)


class ConfigError(Exception):
    """The environment cannot be used. The message lists every fault, one per line."""


@dataclass(frozen=True)
class Config:
    """What `create_app` takes. Times are seconds, lists are tuples, URLs have no trailing slash."""

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
        """Whether real money may hang on this process."""
        return self.app_env == "production"

    @property
    def exchanges_in_flight(self) -> int:
        """How many calls to Stripe one process makes at the same time."""
        return self.web_threads - RESERVED_THREADS


class _List(fields.Field):
    """Items separated by commas, trimmed."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[str, ...]:
        return tuple(item.strip() for item in value.split(",") if item.strip())


class _Url(fields.Str):
    """Text without a trailing slash, so that paths can be appended."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        return super()._deserialize(value, attr, data, **kwargs).rstrip("/")


class Environment(Schema):
    """Every name there is, with its kind, its bounds and its default."""

    class Meta:
        unknown = EXCLUDE

    APP_ENV = fields.Str(
        load_default="development", validate=OneOf(["development", "testing", "production"])
    )
    DATABASE_URL = fields.Str(
        load_default=f"sqlite:///{INSTANCE / 'app.db'}",
        validate=Regexp(r"[\w+]+://", error="Not a SQLAlchemy URL (dialect://…)."),
    )
    SECRET_KEY = fields.Str(load_default="")
    JWT_SECRET_KEY = fields.Str(load_default="")
    ENCRYPTION_KEYS = _List(load_default=())
    STRIPE_CONNECT_URL = _Url(load_default="https://connect.stripe.com")
    STRIPE_API_URL = _Url(load_default="https://api.stripe.com")
    STRIPE_TIMEOUT = fields.Float(load_default=20.0, validate=Range(0.1, 300))
    STRIPE_REQUIRE_STATE = fields.Bool(load_default=False)
    STRIPE_REDIRECT_URIS = _List(load_default=())
    PUBLIC_URL = _Url(load_default="http://127.0.0.1:5000")
    CORS_ORIGINS = _List(load_default=None)
    ALLOWED_HOSTS = _List(load_default=())
    TRUSTED_PROXIES = fields.Int(load_default=0, validate=Range(0, 10))
    REDIS_URL = fields.Str(load_default="")
    METRICS_TOKEN = fields.Str(
        load_default="", validate=Regexp(r"[!-~]*\Z", error="Only visible ASCII characters.")
    )
    OPEN_EVENT_DATABASE_URL = fields.Str(load_default="")
    OPEN_EVENT_MIRROR = fields.Bool(load_default=False)
    OPEN_EVENT_JWT_SECRET_KEY = fields.Str(load_default="")
    DATABASE_POOL_SIZE = fields.Int(load_default=20, validate=Range(1, 1000))
    STRIPE_PROXY = _Url(load_default="")
    LOG_LEVEL = fields.Str(
        load_default="info", validate=OneOf(["debug", "info", "warning", "error", "critical"])
    )
    LOG_FORMAT = fields.Str(load_default="", validate=OneOf(["", "json", "console"]))
    HOST = fields.Str(load_default="127.0.0.1")
    PORT = fields.Int(load_default=5000, validate=Range(1, 65535))
    WEB_CONCURRENCY = fields.Int(load_default=os.cpu_count() or 1, validate=Range(1, 256))
    WEB_THREADS = fields.Int(load_default=320, validate=Range(RESERVED_THREADS + 1, 5000))


def load_config(environ: Mapping[str, str] | None = None) -> Config:
    """
    Return the configuration that *environ* describes.

    Without one it is `.env`, overruled by the environment of the process.

    Outside production, keys that are not set are made once and kept under `instance/`, readable by
    the owner alone.

    Raises ConfigError, naming every fault at once.
    """
    if environ is None:
        environ = {**_dotenv(), **os.environ}
    values, faults = _read(environ)
    faults += [*_judge_urls(values), *_judge_hosts(values), *_judge_keys(values)]
    faults += [*_judge_proxy(values), *_judge_open_event(values)]
    if values["app_env"] == "production":
        faults += [*_judge_secrets(values), *_judge_debug(environ)]
        faults += _judge_platform_key(values)
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise ConfigError(f"The configuration cannot be used:\n{lines}\nSee .env.example.")
    return Config(**_with_secrets(values))


def _dotenv() -> dict[str, str]:
    return {
        name: value for name, value in dotenv_values(ROOT / ".env").items() if value is not None
    }


def _read(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Parse every name; an empty one counts as not set, one with a fault keeps its default."""
    schema = Environment()
    given = {name: value for name, value in environ.items() if value.strip()}
    try:
        read, faults = schema.load(given), []
    except ValidationError as error:
        messages = error.normalized_messages()
        faults = [f"{name}: {' '.join(messages[name])}" for name in messages]
        read = schema.load({name: text for name, text in given.items() if name not in messages})
    return _with_defaults({name.lower(): value for name, value in read.items()}), faults


def _with_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Fill in what follows from other values."""
    if values["cors_origins"] is None:
        in_development = values["app_env"] == "development"
        values["cors_origins"] = FRONTEND_IN_DEVELOPMENT if in_development else ()
    own_url = _split(values["public_url"])
    own_host = (own_url and own_url.hostname) or ""
    values["allowed_hosts"] = (*(values["allowed_hosts"] or (own_host,)), *LOOPBACK_HOSTS)
    values["stripe_redirect_uris"] = values["stripe_redirect_uris"] or (
        f"{values['public_url']}/connect/callback",
    )
    if not values["log_format"]:
        values["log_format"] = "json" if values["app_env"] == "production" else "console"
    for name in ("database_url", "open_event_database_url"):
        values[name] = _with_psycopg2(values[name])
    return values


def _with_psycopg2(url: str) -> str:
    """`postgres://` (as hosting platforms write it) and `postgresql://` mean psycopg2."""
    scheme, separator, rest = url.partition("://")
    if scheme in ("postgres", "postgresql"):
        scheme = "postgresql+psycopg2"
    return f"{scheme}{separator}{rest}"


def _judge_urls(values: dict[str, Any]) -> list[str]:
    named = [
        (name, values[name.lower()])
        for name in ("PUBLIC_URL", "STRIPE_CONNECT_URL", "STRIPE_API_URL")
    ]
    named += [("STRIPE_REDIRECT_URIS", uri) for uri in values["stripe_redirect_uris"]]
    named += [("CORS_ORIGINS", origin) for origin in values["cors_origins"]]
    faults = [(name, _fault_of(name, url, values)) for name, url in named]
    return [f"{name}: {fault}" for name, fault in faults if fault]


def _fault_of(name: str, url: str, values: dict[str, Any]) -> str | None:
    """Return what is wrong with *url*; one that holds a password is not repeated."""
    parts = _split(url)
    if parts is None:
        return f"{url!r} is not an http(s) URL." if "@" not in url else "Not an http(s) URL."
    if "@" in parts.netloc:
        return "A URL with a user or a password in it is refused."
    if name == "CORS_ORIGINS" and url != f"{parts.scheme}://{parts.netloc}":
        return f"{url!r} is not an origin (scheme://host[:port])."
    if parts.fragment or (parts.query and name != "STRIPE_REDIRECT_URIS"):
        return f"{url!r} must end with its path."
    if _is_unsafe(parts) and values["app_env"] == "production":
        return f"{url!r} must be https in production."
    return None


def _split(url: str) -> SplitResult | None:
    """Return the parts of an http(s) URL; None if *url* is none."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets that do not close, a port that is no number
        return None
    return parts if known and url.isprintable() and " " not in url else None


def _judge_hosts(values: dict[str, Any]) -> list[str]:
    return [
        f"ALLOWED_HOSTS: {host!r} is not the name of a host."
        for host in values["allowed_hosts"]
        if host and not HOST.fullmatch(host)
    ]


def _is_unsafe(parts: SplitResult) -> bool:
    return parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS


def _judge_keys(values: dict[str, Any]) -> list[str]:
    """Say which encryption keys are unusable, by position: the keys themselves are never shown."""
    faults = []
    for position, key in enumerate(values["encryption_keys"], start=1):
        try:
            usable = len(key) == len(Fernet.generate_key()) and Fernet(key)
        except ValueError:
            usable = False
        if not usable:
            faults.append(f"ENCRYPTION_KEYS: key {position} is not a key. {HOW_TO_MAKE_A_KEY}")
    return faults


def _judge_secrets(values: dict[str, Any]) -> list[str]:
    faults = []
    if not values["encryption_keys"]:
        faults.append(f"ENCRYPTION_KEYS: not set. {HOW_TO_MAKE_A_KEY}")
    if not values["secret_key"]:
        faults.append("SECRET_KEY: not set.")
    for name in ("secret_key", "jwt_secret_key"):
        secret = values[name]
        if secret and len(secret) < SHORTEST_SECRET:
            faults.append(f"{name.upper()}: shorter than {SHORTEST_SECRET} characters.")
        elif secret and _is_placeholder(secret):
            faults.append(f"{name.upper()}: still a placeholder.")
    return faults


def _is_placeholder(secret: str) -> bool:
    return len(set(secret)) < FEWEST_CHARACTERS or PLACEHOLDERS.search(secret) is not None


def _judge_platform_key(values: dict[str, Any]) -> list[str]:
    """Open Event Server's key may sign in users here, so it must be neither ours nor guessable."""
    key, name = values["open_event_jwt_secret_key"], "OPEN_EVENT_JWT_SECRET_KEY"
    if not key:
        return []
    faults = [
        f"{name}: the same as {own.upper()}; tokens of one side would be valid on the other."
        for own in ("secret_key", "jwt_secret_key")
        if key == values[own]
    ]
    if len(key) < SHORTEST_SECRET:
        faults.append(f"{name}: shorter than {SHORTEST_SECRET} characters.")
    elif key in UPSTREAM_EXAMPLES or _is_placeholder(key):
        faults.append(f"{name}: still a placeholder.")
    return faults


def _judge_proxy(values: dict[str, Any]) -> list[str]:
    proxy = values["stripe_proxy"]
    parts = _split(proxy)
    if not proxy or (
        parts and parts.port and proxy == f"http://{parts.netloc}" and "@" not in proxy
    ):
        return []
    return ["STRIPE_PROXY: must be http://host:port, without a user or a path."]


def _judge_open_event(values: dict[str, Any]) -> list[str]:
    url = values["open_event_database_url"]
    faults = []
    if url and not url.startswith("postgresql+psycopg2://"):
        faults.append("OPEN_EVENT_DATABASE_URL: must be a PostgreSQL URL (postgresql://…).")
    if values["open_event_mirror"] and not url:
        faults.append("OPEN_EVENT_MIRROR: needs OPEN_EVENT_DATABASE_URL.")
    return faults


def _judge_debug(environ: Mapping[str, str]) -> list[str]:
    off = ("", "0", "false", "no", "off")
    return [
        f"{name}: must not be set in production."
        for name in ("DEBUG", "FLASK_DEBUG")
        if environ.get(name, "").strip().lower() not in off
    ]


def _with_secrets(values: dict[str, Any]) -> dict[str, Any]:
    """Return *values* with the keys that a developer has not set."""
    secret_key = values["secret_key"] or _kept_secret("secret_key", secrets.token_urlsafe(48))
    return {
        **values,
        "secret_key": secret_key,
        "jwt_secret_key": values["jwt_secret_key"] or secret_key,
        "encryption_keys": values["encryption_keys"]
        or (_kept_secret("encryption_key", Fernet.generate_key().decode()),),
    }


def _kept_secret(name: str, fresh: str) -> str:
    """Return the secret kept under `instance/`; the first process to ask writes *fresh* there."""
    INSTANCE.mkdir(mode=0o700, exist_ok=True)
    path = INSTANCE / name
    draft = INSTANCE / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
    if not path.exists():
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(fresh)
        try:
            os.link(draft, path)  # atomic, and refuses to replace what another process wrote
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
