"""`manage.py stripe`, as an operator types it."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.commands.stripe import stripe as command
from app.db.clock import database_now
from app.db.transactions import transaction
from app.extensions import db
from app.models import AuditEntry, Setting, StripeDeauthorization, StripeLinkAttempt
from tests.processes import Program


@pytest.fixture(name="run")
def _run(app):
    """Runs one of the commands in this process."""

    def run(*arguments):
        result = app.test_cli_runner().invoke(command, arguments)
        db.session.rollback()
        return result

    return run


class TestReconcile:
    """`stripe reconcile`."""

    def test_it_says_in_plain_lines_what_it_has_done(self, run, platform):
        result = run("reconcile")

        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines() == [
            "Attempts closed as interrupted: 0",
            "Deauthorizations: 0 done, 0 pending",
            "Unclear payments: 0 found, 0 finished",
            "Accounts refreshed: 0",
            "Outdated rows deleted: 0",
        ]
        assert result.stderr == ""

    def test_what_was_pending_is_done_as_soon_as_stripe_is_back(
        self, run, link, organizer, stripe, platform
    ):
        authorization_id = link().json["data"]["id"]
        stripe.fault("deauthorize-500", on="deauthorize")
        response = organizer.delete(f"/v1/stripe-authorizations/{authorization_id}")
        assert response.json["meta"]["deauthorization"] == "pending"
        stripe.fault(None)

        result = run("reconcile")

        assert result.exit_code == 0, result.output
        assert "1 done, 0 pending" in result.stdout
        assert stripe.connections() == set()

    def test_what_needs_a_person_is_told_with_exit_status_1(self, run, platform):
        with transaction() as session:
            session.add(
                StripeDeauthorization(stripe_user_id="acct_1", livemode=False, client_id="ca_1")
            )

        result = run("reconcile")

        assert result.exit_code == 1
        assert "Needs a person: Account acct_1 (test mode)" in result.stdout

    def test_what_a_person_has_seen_to_can_be_forgotten(self, run, platform, stripe):
        with transaction() as session:
            session.add(
                StripeDeauthorization(stripe_user_id="acct_1", livemode=False, client_id="ca_1")
            )
        assert run("reconcile").exit_code == 1

        result = run("reconcile", "--forget", "acct_1")

        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("Marked as done for acct_1: 1\n")
        entry = db.session.scalars(select(AuditEntry)).one()
        assert (entry.action, entry.subject) == ("stripe-deauthorization.forget", "acct_1")

    def test_an_interrupted_attempt_is_told_once(self, run, event, platform):
        with transaction() as session:
            moment = session.scalar(select(database_now())) - timedelta(minutes=1)
            session.add(
                StripeLinkAttempt(
                    event_id=event.id,
                    stripe_auth_code="d" * 64,
                    livemode=False,
                    state_checked=False,
                    expires_at=moment,
                )
            )

        first, second = run("reconcile"), run("reconcile")

        assert (first.exit_code, second.exit_code) == (1, 0)
        assert f"to link event {event.id}" in first.stdout

    def test_of_what_is_not_due_yet_nothing_is_done_or_said(self, run, platform, stripe):
        with transaction() as session:
            later = session.scalar(select(database_now())) + timedelta(hours=1)
            session.add(
                StripeDeauthorization(
                    stripe_user_id="acct_1", livemode=False, client_id="ca_1", next_try_at=later
                )
            )

        result = run("reconcile", "--due")

        assert (result.exit_code, result.output) == (0, "")
        assert stripe.asked("/oauth/deauthorize") == []

    def test_programs_read_json(self, run, platform):
        result = run("reconcile", "--json")

        report = json.loads(result.stdout)
        assert (report["closed"], report["problems"], report["marked_done"]) == (0, [], {})

    def test_a_delivery_under_way_is_told_and_left_alone_with_due(self, run, platform, stripe):
        with transaction() as session:
            soon = session.scalar(select(database_now())) + timedelta(seconds=30)
            session.add(
                StripeDeauthorization(
                    stripe_user_id="acct_1", livemode=False, client_id="ca_1", claimed_until=soon
                )
            )

        result = run("reconcile", "--due")

        assert result.exit_code == 0
        assert "Deauthorizations that another process is delivering: 1" in result.stdout
        assert stripe.asked("/oauth/deauthorize") == []

    def test_keys_that_cannot_be_read_are_told_in_one_line(self, run, platform, make):
        make.link(make.event())
        with transaction() as session:
            setting = session.get_one(Setting, 1)
            setting.sealed_stripe_test_secret_key = setting.sealed_stripe_secret_key

        result = run("reconcile")

        assert result.exit_code == 1
        (line,) = [each for each in result.stdout.splitlines() if "Needs a person" in each]
        assert "settings.sealed_stripe_test_secret_key" in line


class TestCheck:
    """`stripe check`."""

    def test_right_keys_are_told_line_by_line(self, run, platform):
        result = run("check")

        assert result.exit_code == 0, result.output
        heading, *rows = [line.split(maxsplit=3) for line in result.stdout.splitlines()]
        assert heading == ["mode", "check", "result", "sentence"]
        assert len(rows) == 10
        assert ["test", "secret-key", "ok", "Stripe accepts it."] in rows

    def test_programs_read_json(self, run, platform):
        result = run("check", "--json")

        told = {"mode": "test", "check": "secret-key", "result": "ok"}
        assert {**told, "sentence": "Stripe accepts it."} in json.loads(result.stdout)

    def test_a_wrong_one_has_exit_status_1_and_is_not_shown(self, run, platform):
        wrong = "sk_test_wrongwrongwrongwrongwrong"
        with transaction() as session:
            session.get_one(Setting, 1).stripe_test_secret_key = wrong

        result = run("check")

        assert result.exit_code == 1
        rows = [line.split(maxsplit=3)[:3] for line in result.stdout.splitlines()]
        assert ["test", "secret-key", "failed"] in rows
        assert wrong not in result.output

    def test_a_platform_without_any_key_is_skipped_and_has_exit_status_1(self, run, app):
        result = run("check")

        assert result.exit_code == 1, result.output
        assert result.stdout.count("skipped") == 10

    def test_a_mode_that_is_not_in_force_needs_no_keys(self, run, platform):
        with transaction() as session:
            setting = session.get_one(Setting, 1)
            setting.stripe_secret_key = setting.stripe_client_id = None
            setting.stripe_publishable_key = setting.stripe_webhook_secret = None

        assert run("check").exit_code == 0


class Emulate(Program):
    """`manage.py stripe emulate` in a process of its own."""

    def start(self, *arguments, **env):
        """Start it on a free port; return what it prints."""
        self._spawn(["manage", "stripe", "emulate", "--port", "0", *arguments], env)
        return json.loads(
            self._wait_until(lambda: self.stdout.endswith("\n") and self.stdout, "line")
        )


class TestEmulate:
    """`stripe emulate`."""

    def test_it_serves_a_local_stripe_without_any_configuration(self):
        with Emulate() as program:
            details = program.start(
                *("--redirect-uri", "https://example.com/back"),
                *("--webhook-url", "http://127.0.0.1:9/stripe/webhooks"),
                APP_ENV="production",
                SECRET_KEY="",
                DATABASE_URL="nonsense",
            )

            assert details["redirect_uris"] == ["https://example.com/back"]
            assert details["settings"]["stripe-test-secret-key"].startswith("sk_test_")
            assert program.stop() == 0
