"""What production says when it starts with something that deserves a second look."""

import pytest
from structlog.testing import CapturingLogger

from app import create_app
from app.telemetry import warnings_at_start
from config import load_config
from tests.conftest import SECRETS
from tests.processes import run_manage

FINE = {
    "APP_ENV": "production",
    "PUBLIC_URL": "https://tickets.example.org",
    "DATABASE_URL": "sqlite:///never-opened.db",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "STRIPE_REQUIRE_STATE": "true",
    "METRICS_TOKEN": "a-token-for-the-metrics",
    **SECRETS,
    "SECRET_KEY": "c61b0a1d9c1f4c0f8f0b5e1e2d3c4b5a69788796",
}


@pytest.fixture(name="warnings_of")
def _warnings_of(monkeypatch):
    """Returns what a start with some environment warns of."""
    log = CapturingLogger()
    monkeypatch.setattr(warnings_at_start, "log", log)

    def warnings_of(**environ):
        create_app(load_config({**FINE, **environ}))
        return [call.kwargs["message"] for call in log.calls if call.method_name == "warning"]

    return warnings_of


def test_a_production_as_it_should_be_starts_in_silence(warnings_of):
    assert warnings_of() == []


@pytest.mark.parametrize("count", ["1", "8"])
def test_without_a_redis_it_is_said_that_every_process_counts_for_itself(warnings_of, count):
    (line,) = warnings_of(REDIS_URL="", WEB_CONCURRENCY=count)

    assert line.startswith("REDIS_URL is not set")
    assert count in line


def test_it_is_said_that_anybody_may_read_the_metrics(warnings_of):
    (line,) = warnings_of(METRICS_TOKEN="")

    assert line.startswith("METRICS_TOKEN is not set")


def test_it_is_said_that_links_without_a_state_are_accepted(warnings_of):
    (line,) = warnings_of(STRIPE_REQUIRE_STATE="false")

    assert line.startswith("STRIPE_REQUIRE_STATE is false")


@pytest.mark.parametrize("name", ["STRIPE_CONNECT_URL", "STRIPE_API_URL"])
def test_it_is_said_that_keys_go_to_somebody_else_than_stripe(warnings_of, name):
    (line,) = warnings_of(**{name: "https://stripe.example.com:8443"})

    assert line.startswith(f"{name} leads to stripe.example.com")


def test_outside_production_nothing_is_said(warnings_of):
    assert warnings_of(APP_ENV="development", REDIS_URL="", STRIPE_REQUIRE_STATE="false") == []


def test_commands_start_in_silence(tmp_path):
    env = {**FINE, "REDIS_URL": "", "DATABASE_URL": f"sqlite:///{tmp_path / 'app.db'}"}

    done = run_manage("db", "upgrade", env=env)

    assert (done.returncode, "REDIS_URL" in done.stderr) == (0, False)
