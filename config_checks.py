"""
What the configuration refuses, and in which words.

Every `judge_…` function takes the values by the names of `Config`'s fields and returns faults,
each beginning with the name of its setting. No fault repeats a secret or a URL that may hold one.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cryptography.fernet import Fernet
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

Values = dict[str, Any]

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")
HOW_TO_MAKE_A_KEY = "Make one with: python manage.py secrets generate"
SHORTEST_SECRET = 16
FEWEST_CHARACTERS = 6  # different ones: a random secret of 16 hex digits practically never has less
# What examples are made of: with one of the first, all of the second are taken for filling.
TELLTALES = re.compile(
    r"change.?(me|this|it)|replace|default|example|insecure|password|placeholder|secret"
    r"|characters|generate|^<?your[-_ ]",
    re.IGNORECASE,
)
FILLING = re.compile(
    r"change|replace|default|example|insecure|password|placeholder|secret|characters?|generate"
    r"|random|string|please|production|prod|super|very|long|your|here|this|with|some|test|least"
    r"|dev|key|jwt|now|top|the|my|me|to|at|in|it|16|32|64|[\W_]",
    re.IGNORECASE,
)
# The key in Open Event Server's own installation guide (docs/installation/local-m1.md).
UPSTREAM_EXAMPLES = ("741a6f7389de40a91b930869b5e32baaae6953170b6fc1b9856001598a5ef0b8",)
HOST = re.compile(r"\.?([\w-]+\.)*[\w-]+|\[?[0-9a-f:.]*:[0-9a-f:.]+\]?", re.ASCII | re.IGNORECASE)
OPTION = re.compile(r"[a-z_]{1,40}")
URLS = ("PUBLIC_URL", "STRIPE_CONNECT_URL", "STRIPE_API_URL")
REDIS_SCHEMES = ("redis", "rediss", "redis+unix")


def faults_of(values: Values, environ: Mapping[str, str]) -> list[str]:
    """Return every fault in *values*; *environ* is where DEBUG would be."""
    judges = [judge_database, judge_redis, judge_urls, judge_hosts, judge_keys, judge_proxy]
    judges.append(judge_open_event)
    if values["app_env"] == "production":
        judges += [judge_secrets, judge_platform_key]
    faults = [fault for judge in judges for fault in judge(values)]
    return faults + (judge_debug(environ) if values["app_env"] == "production" else [])


def judge_database(values: Values) -> list[str]:
    """Refuse URLs that cannot be parsed, unknown dialects and drivers that are not installed."""
    named = {name: values[name.lower()] for name in ("DATABASE_URL", "OPEN_EVENT_DATABASE_URL")}
    faults = [(name, _database_fault(url)) for name, url in named.items() if url]
    return [f"{name}: {fault}" for name, fault in faults if fault]


def _database_fault(text: str) -> str | None:
    try:
        url = make_url(text)
        dialect = url.get_dialect()
        dialect.import_dbapi()
        dialect().create_connect_args(url)
    except NoSuchModuleError:
        return "Not a dialect that SQLAlchemy knows (postgresql://… or sqlite:///…)."
    except ImportError:
        return "The driver of this dialect is not installed."
    except (ArgumentError, TypeError, ValueError):
        return "Not a SQLAlchemy URL (dialect://user:password@host:port/name)."
    if url.get_backend_name() == "sqlite" and ":memory:" in (url.database or ":memory:"):
        return "SQLite in memory is another database in each process: name a file."
    if url.host and not HOST.fullmatch(url.host):
        return "Its host is no name. In a password, write @ : / ? # % as %40 %3A %2F %3F %23 %25."
    return _option_fault(url) if url.drivername == "postgresql+psycopg2" else None


def _option_fault(url: URL) -> str | None:
    """Name the first option that libpq does not know, unless it may be the end of a password."""
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    for name in url.query:
        if not OPTION.fullmatch(name):
            return "PostgreSQL does not know one of its options. In a password, write ? as %3F."
        try:
            parse_dsn(f"{name}=x")
        except ProgrammingError:
            return f"PostgreSQL knows no option {name!r}."
    return None


def judge_redis(values: Values) -> list[str]:
    """Refuse what is not a Redis URL; a database that is no number would silently be 0."""
    url = values["redis_url"]
    try:
        parts = urlsplit(url)
        path = r"/.+" if parts.scheme == "redis+unix" else r"/?\d*"
        has_host = parts.scheme == "redis+unix" or bool(HOST.fullmatch(parts.hostname or ""))
        is_known = parts.scheme in REDIS_SCHEMES and has_host and parts.port != 0
        good = is_known and re.fullmatch(path, parts.path)
    except ValueError:  # brackets that do not close, a port that is no number
        good = False
    return [] if good or not url else ["REDIS_URL: Not a Redis URL (redis://host:port/number)."]


def judge_urls(values: Values) -> list[str]:
    """Refuse addresses that are not http(s), hold credentials or, in production, are not https."""
    named = [(name, values[name.lower()]) for name in URLS]
    named += [("STRIPE_REDIRECT_URIS", uri) for uri in values["stripe_redirect_uris"]]
    named += [("CORS_ORIGINS", origin) for origin in values["cors_origins"]]
    faults = [(name, _url_fault(name, url, values)) for name, url in named]
    return list(dict.fromkeys(f"{name}: {fault}" for name, fault in faults if fault))


def _url_fault(name: str, url: str, values: Values) -> str | None:
    """Return what is wrong with *url*; one that may hold a password is not repeated."""
    parts = split_url(url)
    if "@" in url and (parts is None or "@" in parts.netloc):
        return "A URL with a user or a password in it is refused."
    if parts is None:
        return f"{url!r} is not an http(s) URL."
    if name == "CORS_ORIGINS" and url != f"{parts.scheme}://{parts.netloc}":
        return f"{url!r} is not an origin (scheme://host[:port])."
    if parts.fragment or (parts.query and name != "STRIPE_REDIRECT_URIS"):
        return f"{url!r} must end with its path."
    if name == "PUBLIC_URL" and parts.path:
        return f"{url!r} must not have a path: the service needs a host name of its own."
    if values["app_env"] == "production" and _is_unsafe(parts):
        return f"{url!r} must be https in production."
    return None


def split_url(url: str) -> SplitResult | None:
    """Return the parts of an http(s) URL; None if *url* is none."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets that do not close, a port that is no number
        return None
    return parts if known and url.isprintable() and " " not in url else None


def _is_unsafe(parts: SplitResult) -> bool:
    return parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS


def judge_hosts(values: Values) -> list[str]:
    """Refuse names that are none; ports, schemes and wildcards too. Networks may be allowed."""
    allowed = [host for host in values["allowed_hosts"] if host and not is_network(host)]
    named = [("HOST", values["host"]), *(("ALLOWED_HOSTS", host) for host in allowed)]
    return [
        f"{name}: {host!r} is not the name of a host."
        for name, host in named
        if not HOST.fullmatch(host)
    ]


def is_network(text: str) -> bool:
    """Return whether *text* is a network of addresses, such as 10.0.0.0/8."""
    try:
        return "/" in text and bool(ip_network(text))
    except ValueError:
        return False


def judge_keys(values: Values) -> list[str]:
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


def judge_secrets(values: Values) -> list[str]:
    """In production: refuse secrets that are missing, short or an example's."""
    faults = []
    if not values["encryption_keys"]:
        faults.append(f"ENCRYPTION_KEYS: not set. {HOW_TO_MAKE_A_KEY}")
    if not values["secret_key"]:
        faults.append("SECRET_KEY: not set.")
    for name in ("secret_key", "jwt_secret_key"):
        if values[name] and (fault := _weakness(values[name])):
            faults.append(f"{name.upper()}: {fault}")
    return faults


def judge_platform_key(values: Values) -> list[str]:
    """In production: refuse an Open Event key that is ours as well, or that can be guessed."""
    key, name = values["open_event_jwt_secret_key"], "OPEN_EVENT_JWT_SECRET_KEY"
    if not key:
        return []
    faults = [
        f"{name}: the same as {own.upper()}; tokens of one side would be valid on the other."
        for own in ("secret_key", "jwt_secret_key")
        if key == values[own]
    ]
    if fault := _weakness(key):
        faults.append(f"{name}: {fault}")
    return faults


def _weakness(secret: str) -> str | None:
    if len(secret) < SHORTEST_SECRET:
        return f"shorter than {SHORTEST_SECRET} characters."
    return "still a placeholder." if _is_placeholder(secret) else None


def _is_placeholder(secret: str) -> bool:
    """Whether *secret* is an example's: a random one may contain such a word, and much besides."""
    if secret in UPSTREAM_EXAMPLES or len(set(secret)) < FEWEST_CHARACTERS:
        return True
    return bool(TELLTALES.search(secret)) and len(FILLING.sub("", secret)) < SHORTEST_SECRET


def judge_proxy(values: Values) -> list[str]:
    """Refuse what is not `http://host:port`; credentials are not supported."""
    proxy = values["stripe_proxy"]
    parts = split_url(proxy)
    bare = parts and parts.port and "@" not in proxy and proxy == f"http://{parts.netloc}"
    if bare or not proxy:
        return []
    return ["STRIPE_PROXY: must be http://host:port, without a user or a path."]


def judge_open_event(values: Values) -> list[str]:
    """Open Event Server runs on PostgreSQL alone, and a mirror needs its database."""
    url = values["open_event_database_url"]
    faults = []
    if url and not url.startswith("postgresql+psycopg2://"):
        faults.append("OPEN_EVENT_DATABASE_URL: must be a PostgreSQL URL (postgresql://…).")
    if values["open_event_mirror"] and not url:
        faults.append("OPEN_EVENT_MIRROR: needs OPEN_EVENT_DATABASE_URL.")
    return faults


def judge_debug(environ: Mapping[str, str]) -> list[str]:
    """In production: refuse the switches of a debugger that shows secrets."""
    return [
        f"{name}: must not be set in production."
        for name in ("DEBUG", "FLASK_DEBUG")
        if environ.get(name, "").strip().lower() not in ("", "0", "false", "no", "off")
    ]
