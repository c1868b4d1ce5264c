"""The environment is judged at start: every fault is told at once, and no secret with it."""

import secrets

import pytest
from cryptography.fernet import Fernet

import config
import config_checks
from config import ROOT, ConfigError, load_config

KEY = Fernet.generate_key().decode()
LONG = "a-random-text-of-our-own-0123456789"
PLATFORM_KEY = "0f3b8e51c7d94a26b1e8f7a2c5d06934"
PRODUCTION = {
    "APP_ENV": "production",
    "DATABASE_URL": "postgresql://db.example/tickets",
    "SECRET_KEY": LONG,
    "JWT_SECRET_KEY": LONG[::-1],
    "ENCRYPTION_KEYS": KEY,
    "PUBLIC_URL": "https://pay.example.org",
}


SOUND_SECRETS = {"encryption_keys": (KEY,), "secret_key": LONG, "jwt_secret_key": LONG[::-1]}


def faults_of(**environ):
    """The message about *environ* over a sound production."""
    with pytest.raises(ConfigError) as caught:
        load_config({**PRODUCTION, **environ})
    return str(caught.value)


def test_a_sound_production_starts():
    given = load_config(PRODUCTION)

    assert given.is_production
    assert given.database_url == "postgresql+psycopg2://db.example/tickets"


@pytest.fixture(name="instance")
def _instance(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "INSTANCE", tmp_path / "instance")
    return tmp_path / "instance"


def test_the_defaults_are_the_promised_ones(instance):
    given = load_config({})

    assert given.app_env == "development"
    assert given.database_url.startswith("sqlite:///")
    assert given.database_url.endswith("/instance/app.db")
    assert given.stripe_connect_url == "https://connect.stripe.com"
    assert given.stripe_api_url == "https://api.stripe.com"
    assert given.stripe_timeout == 20
    assert given.stripe_require_state is False
    assert given.stripe_redirect_uris[0] == "http://127.0.0.1:5000/connect/callback"
    assert given.public_url == "http://127.0.0.1:5000"
    assert given.cors_origins == ("http://localhost:4200", "http://127.0.0.1:4200")
    assert set(given.allowed_hosts) == {"127.0.0.1", "localhost", "[::1]", "::1"}
    assert given.trusted_proxies == 0
    assert given.redis_url == ""
    assert (given.log_level, given.log_format) == ("info", "console")
    assert (given.host, given.port, given.web_threads) == ("127.0.0.1", 5000, 320)
    assert given.exchanges_in_flight == 300
    assert (given.metrics_token, given.stripe_proxy) == ("", "")
    assert (given.open_event_database_url, given.open_event_jwt_secret_key) == ("", "")
    assert given.open_event_mirror is False
    assert given.database_pool_size == 20


def test_outside_development_no_foreign_origin_is_allowed_by_default():
    assert load_config(PRODUCTION).cors_origins == ()


def test_production_logs_json_and_answers_to_its_own_name():
    given = load_config(PRODUCTION)

    assert given.log_format == "json"
    assert given.allowed_hosts[0] == "pay.example.org"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_way_to_write_postgresql_means_psycopg2(scheme):
    given = load_config({**PRODUCTION, "DATABASE_URL": f"{scheme}://db/x"})

    assert given.database_url == "postgresql+psycopg2://db/x"


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_value_means_the_default(empty):
    assert load_config({**PRODUCTION, "PORT": empty}).port == 5000


def test_lists_are_separated_by_commas_and_trimmed():
    given = load_config({**PRODUCTION, "CORS_ORIGINS": " https://a.example , https://b.example,"})

    assert given.cors_origins == ("https://a.example", "https://b.example")


def test_a_repr_holds_no_secret():
    given = {
        "REDIS_URL": "redis://:hush@r/0",
        "METRICS_TOKEN": "scrape-me-not",
        "OPEN_EVENT_DATABASE_URL": "postgresql://reader:quiet@their.example/oevent",
        "OPEN_EVENT_JWT_SECRET_KEY": PLATFORM_KEY,
    }
    shown = repr(load_config({**PRODUCTION, **given}))

    for secret in (LONG, KEY, "db.example", "hush", "scrape", "quiet", PLATFORM_KEY):
        assert secret not in shown


@pytest.mark.parametrize("name", ["SECRET_KEY", "ENCRYPTION_KEYS"])
def test_production_needs_its_secrets(name):
    assert f"{name}: not set." in faults_of(**{name: ""})


def test_without_a_key_of_their_own_tokens_are_signed_by_the_secret_key():
    assert load_config({**PRODUCTION, "JWT_SECRET_KEY": ""}).jwt_secret_key == LONG


@pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_SECRET_KEY"])
@pytest.mark.parametrize("secret", ["short", "x" * 15])
def test_production_refuses_a_short_secret(name, secret):
    said = faults_of(**{name: secret})

    assert f"{name}: shorter than 16 characters." in said
    assert secret not in said.replace("shorter", "")


@pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_SECRET_KEY"])
@pytest.mark.parametrize(
    "secret",
    [
        "change-me-change-me",
        "CHANGEME-CHANGEME",
        "default-secret-key",
        "example-secret-0000",
        "secret-key-secret-key",
        "top-secret!-top-secret!",
        "your-secret-key-here",
        "a" * 32,
        "please-change-me-now",
        "my-secret-changeme-0",
        "dev-dev-dev-dev-dev-dev",
        "insecure-insecure-insecure",
        "password-password",
        "super_secret_key_very_long_change_me_in_production",
        "replace-this-with-a-random-string",
        "<your secret key of 32 characters>",
        "At least 16 random characters.",
    ],
)
def test_production_refuses_a_default_secret(name, secret):
    assert f"{name}: still a placeholder." in faults_of(**{name: secret})


def test_a_random_secret_is_never_taken_for_a_placeholder():
    for _ in range(2000):
        for random in (secrets.token_urlsafe(48), secrets.token_hex(16)):
            assert config_checks.judge_secrets({**SOUND_SECRETS, "secret_key": random}) == []


@pytest.mark.parametrize("word", ["secret", "Password", "default", "change-me", "example"])
def test_a_long_random_secret_may_contain_any_word(word):
    for random in (secrets.token_urlsafe(24), secrets.token_hex(16)):
        given = load_config({**PRODUCTION, "SECRET_KEY": f"{random[:8]}{word}{random[8:]}"})

        assert word in given.secret_key


@pytest.mark.parametrize(
    "key",
    ["x", KEY[:-1], KEY + "A", "ä" * 44, LONG],
    ids=["short", "cut off", "too long", "umlauts", "random text"],
)
def test_a_key_that_is_none_is_told_by_its_position_alone(key):
    said = faults_of(ENCRYPTION_KEYS=f"{KEY},{key}")

    assert "ENCRYPTION_KEYS: key 2 is not a key." in said
    assert KEY not in said
    assert f"{key!r}" not in said


@pytest.mark.parametrize("name", ["DEBUG", "FLASK_DEBUG"])
@pytest.mark.parametrize("value", ["1", "true", "True", "on", "yes", "anything"])
def test_production_refuses_debug(name, value):
    assert f"{name}: must not be set in production." in faults_of(**{name: value})


@pytest.mark.parametrize("value", ["", "0", "false", "False", "no", "off"])
def test_debug_that_is_off_is_no_fault(value):
    assert load_config({**PRODUCTION, "DEBUG": value}).is_production


@pytest.mark.parametrize("name", ["PUBLIC_URL", "STRIPE_CONNECT_URL", "STRIPE_API_URL"])
def test_production_speaks_https_or_to_itself(name):
    assert f"{name}: 'http://pay.example.org' must be https in production." in faults_of(
        **{name: "http://pay.example.org"}
    )
    for loopback in ("http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"):
        assert load_config({**PRODUCTION, name: loopback}).is_production


@pytest.mark.parametrize("host", ["127.0.0.1.evil.example", "localhost.evil.example"])
def test_a_name_that_begins_like_loopback_is_none(host):
    faults = faults_of(STRIPE_CONNECT_URL=f"http://{host}")

    assert f"STRIPE_CONNECT_URL: 'http://{host}' must be https in production." in faults


@pytest.mark.parametrize("name", ["STRIPE_REDIRECT_URIS", "CORS_ORIGINS"])
def test_production_names_no_address_without_https(name):
    assert f"{name}: 'http://a.example' must be https" in faults_of(**{name: "http://a.example"})


@pytest.mark.parametrize("name", ["PUBLIC_URL", "STRIPE_CONNECT_URL", "STRIPE_API_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.example",
        "pay.example.org",
        "https://",
        "javascript:alert(1)",
        "https://[::1",
        "https://x.example:port",
        "https://x.example/?a=1",
        "https://x.example/#a",
        "https://user:hush@x.example",
        "https://x.exa mple",
    ],
)
def test_a_url_that_is_none_is_refused_everywhere(name, url):
    assert f"{name}: " in faults_of(**{name: url})
    with pytest.raises(ConfigError):
        load_config({"APP_ENV": "testing", "SECRET_KEY": LONG, "ENCRYPTION_KEYS": KEY, name: url})


def test_a_password_in_a_url_is_not_told():
    assert "hush" not in faults_of(PUBLIC_URL="http://user:hush@x.example")


@pytest.mark.parametrize(
    "url",
    [
        "hush",
        "hush://",
        "postgresql:hush",
        "hush://user:hush@db.example/tickets",
        "postgresql+hush://user:hush@db.example/tickets",
        "mysql://user:hush@db.example/tickets",
        "postgresql://user:hush@db.example:hush/tickets",
        "postgresql://user:hu@hush@db.example/tickets",
        "postgresql://user:hush@[::1/tickets",
        "sqlite://hush/tickets.db",
        "sqlite:///tickets.db?timeout=hush",
    ],
)
@pytest.mark.parametrize("name", ["DATABASE_URL", "OPEN_EVENT_DATABASE_URL"])
def test_no_part_of_a_malformed_database_url_is_told(name, url):
    said = faults_of(**{name: url})

    assert f"{name}: " in said
    assert "hush" not in said


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=1"]
)
def test_a_database_in_memory_is_refused(url):
    assert "DATABASE_URL: SQLite in memory" in faults_of(DATABASE_URL=url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:p%40ss@db.example:5432/tickets?sslmode=require",
        "postgresql:///tickets?host=/run/postgresql",
        "postgresql+psycopg2://[::1]/tickets",
        "sqlite:////srv/tickets.db",
    ],
)
def test_every_sound_database_url_is_taken(url):
    assert load_config({**PRODUCTION, "DATABASE_URL": url}).database_url.endswith(url[11:])


@pytest.mark.parametrize(
    "url",
    [
        "hush",
        "hush://redis.example",
        "http://:hush@redis.example",
        "redis://:hush@redis.example:hush/0",
        "redis://:hush@redis.example/hush",
        "redis://:hu@sh/hush@redis.example/0",
        "redis://[::1/hush",
    ],
)
def test_no_part_of_a_malformed_redis_url_is_told(url):
    said = faults_of(REDIS_URL=url)

    assert "REDIS_URL: Not a Redis URL" in said
    assert "hush" not in said


@pytest.mark.parametrize(
    "url", ["redis://h", "rediss://u:p@h:6380/1", "redis+unix:///run/redis.sock", "redis://[::1]/0"]
)
def test_every_sound_redis_url_is_taken(url):
    assert load_config({**PRODUCTION, "REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "host, bind",
    [
        ("::", "[::]:5000"),
        ("::1", "[::1]:5000"),
        ("[::1]", "[::1]:5000"),
        ("0.0.0.0", "0.0.0.0:5000"),
        ("localhost", "localhost:5000"),
    ],
)
def test_a_host_may_be_a_name_or_an_address_of_either_family(host, bind):
    assert load_config({**PRODUCTION, "HOST": host}).bind == bind


@pytest.mark.parametrize(
    "environ, url",
    [
        ({"PORT": "8080"}, "http://127.0.0.1:8080"),
        ({"PORT": "8080", "HOST": "::1"}, "http://[::1]:8080"),
        ({"PORT": "8080", "PUBLIC_URL": "https://a.example/"}, "https://a.example"),
    ],
)
def test_the_port_moves_the_default_of_the_public_url(environ, url):
    given = load_config({**PRODUCTION, "PUBLIC_URL": "", **environ})

    assert given.public_url == url
    assert given.stripe_redirect_uris == (f"{url}/connect/callback",)


def test_a_public_url_with_a_path_is_refused():
    said = faults_of(PUBLIC_URL="https://a.example/pay")

    assert "PUBLIC_URL: 'https://a.example/pay' must not have a path" in said


def test_in_development_stripe_may_send_browsers_back_to_the_frontend():
    given = load_config({"SECRET_KEY": LONG, "ENCRYPTION_KEYS": KEY, "CORS_ORIGINS": "http://f:1"})

    assert given.stripe_redirect_uris == (
        "http://127.0.0.1:5000/connect/callback",
        "http://f:1/torii/redirect.html",
    )


def test_elsewhere_stripe_sends_browsers_back_to_the_console_alone():
    given = load_config({**PRODUCTION, "CORS_ORIGINS": "https://tickets.example.org"})

    assert given.stripe_redirect_uris == ("https://pay.example.org/connect/callback",)


def test_an_empty_list_of_origins_is_the_default():
    given = load_config({"SECRET_KEY": LONG, "ENCRYPTION_KEYS": KEY, "CORS_ORIGINS": ""})

    assert given.cors_origins == config.FRONTEND_IN_DEVELOPMENT


@pytest.mark.parametrize(
    "origin", ["*", "null", "https://a.example/", "https://a.example/x", "https://u@a.example"]
)
def test_an_origin_is_a_scheme_and_a_host(origin):
    assert "CORS_ORIGINS: " in faults_of(CORS_ORIGINS=origin)


@pytest.mark.parametrize("network", ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"])
def test_networks_may_be_allowed(network):
    assert network in load_config({**PRODUCTION, "ALLOWED_HOSTS": network}).allowed_hosts


@pytest.mark.parametrize(
    "host",
    ["*", ".", "a.example/x", "https://a.example", "a b", "10.0.0.1/8", "999.0.0.0/8", "a/8"],
)
def test_a_host_is_a_name(host):
    assert "ALLOWED_HOSTS: " in faults_of(ALLOWED_HOSTS=host)


@pytest.mark.parametrize(
    "name, value",
    [
        ("APP_ENV", "staging"),
        ("DATABASE_URL", "tickets.db"),
        ("STRIPE_TIMEOUT", "0"),
        ("STRIPE_TIMEOUT", "-1"),
        ("STRIPE_TIMEOUT", "nan"),
        ("STRIPE_TIMEOUT", "inf"),
        ("STRIPE_TIMEOUT", "soon"),
        ("STRIPE_REQUIRE_STATE", "maybe"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "11"),
        ("TRUSTED_PROXIES", "yes"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("WEB_CONCURRENCY", "0"),
        ("PORT", "abc"),
        ("WEB_THREADS", "39"),
        ("HOST", "a machine"),
        ("HOST", "http://127.0.0.1"),
        ("DATABASE_POOL_SIZE", "0"),
        ("OPEN_EVENT_MIRROR", "maybe"),
        ("METRICS_TOKEN", "two words"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_name(name, value):
    said = faults_of(**{name: value})

    assert f"{name}: " in said
    assert ": ," not in said


def test_the_platforms_database_is_spoken_to_by_psycopg2_too():
    given = load_config({**PRODUCTION, "OPEN_EVENT_DATABASE_URL": "postgres://r@their.example/oe"})

    assert given.open_event_database_url == "postgresql+psycopg2://r@their.example/oe"


@pytest.mark.parametrize("url", ["sqlite:///oevent.db", "mysql://r:hush@their.example/oe", "hush"])
def test_the_platforms_database_is_a_postgresql(url):
    said = faults_of(OPEN_EVENT_DATABASE_URL=url)

    assert "OPEN_EVENT_DATABASE_URL: must be a PostgreSQL URL" in said
    assert "hush" not in said


def test_a_mirror_needs_a_database_to_write_to():
    assert "OPEN_EVENT_MIRROR: needs OPEN_EVENT_DATABASE_URL." in faults_of(
        OPEN_EVENT_MIRROR="true"
    )


@pytest.mark.parametrize(
    "key, fault",
    [
        (LONG, "the same as SECRET_KEY"),
        (LONG[::-1], "the same as JWT_SECRET_KEY"),
        ("f81d4fae7dec11d", "shorter than 16 characters"),
        (config_checks.UPSTREAM_EXAMPLES[0], "still a placeholder"),
        ("change-me-change-me", "still a placeholder"),
    ],
)
def test_production_refuses_a_platform_key_that_lets_either_side_forge(key, fault):
    said = faults_of(OPEN_EVENT_JWT_SECRET_KEY=key)

    assert f"OPEN_EVENT_JWT_SECRET_KEY: {fault}" in said
    assert key not in said


def test_a_platform_key_of_its_own_is_accepted():
    given = load_config({**PRODUCTION, "OPEN_EVENT_JWT_SECRET_KEY": PLATFORM_KEY})

    assert given.open_event_jwt_secret_key == PLATFORM_KEY


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "http://10.0.0.1:8080/"])
def test_a_proxy_is_a_host_and_a_port(proxy):
    assert load_config({**PRODUCTION, "STRIPE_PROXY": proxy}).stripe_proxy == proxy.rstrip("/")


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy.example:3128",
        "https://proxy.example:3128",
        "socks5://proxy.example:1080",
        "http://proxy.example",
        "http://user:hush@proxy.example:3128",
        "http://proxy.example:3128/path",
        "http://proxy.example:none",
    ],
)
def test_any_other_proxy_is_refused_unrepeated(proxy):
    said = faults_of(STRIPE_PROXY=proxy)

    assert "STRIPE_PROXY: must be http://host:port" in said
    assert "hush" not in said


ALL_WRONG = {
    "SECRET_KEY": "short",
    "JWT_SECRET_KEY": "change-me-change-me",
    "ENCRYPTION_KEYS": "",
    "PUBLIC_URL": "http://pay.example.org",
    "STRIPE_CONNECT_URL": "http://connect.example",
    "STRIPE_API_URL": "nowhere",
    "CORS_ORIGINS": "*",
    "PORT": "none",
    "WEB_THREADS": "1",
    "DEBUG": "1",
}


def test_every_fault_is_told_in_one_message():
    said = faults_of(**ALL_WRONG)

    assert all(f"  {name}: " in said for name in ALL_WRONG)
    assert said.endswith("See .env.example.")


def test_the_example_says_what_is_so():
    from dotenv import dotenv_values

    example = {k: v or "" for k, v in dotenv_values(ROOT / ".env.example").items()}
    keys = {"SECRET_KEY": LONG, "ENCRYPTION_KEYS": KEY}

    assert load_config({**example, **keys}) == load_config(keys)
