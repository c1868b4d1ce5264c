"""A platform, an owner and an event: where most stories begin."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import Event, Setting, User
from app.services.deauthorization.reconcile import ReconcileReport
from app.services.deauthorization.reconcile import reconcile as run_reconcile
from tests.callers import Client, link_document
from tests.factories import Factory
from tests.stripe_world import StripeWorld


@pytest.fixture(name="platform")
def _platform(make: Factory, stripe: StripeWorld) -> Setting:
    """The platform, registered at the local Stripe in both modes, in test mode."""
    return make.platform(stripe)


@pytest.fixture(name="owner")
def _owner(make: Factory) -> User:
    return make.user()


@pytest.fixture(name="event")
def _event(make: Factory, owner: User) -> Event:
    return make.event(owner)


@pytest.fixture(name="organizer")
def _organizer(client: Client, owner: User) -> Client:
    """The owner of the event, signed in."""
    return client.as_(owner)


@pytest.fixture(name="link")
def _link(app: Flask, organizer: Client, event: Event, stripe: StripeWorld, platform: Setting):
    """Links the event by a fresh code (or the one given), and returns the answer."""

    def link(
        code: str | None = None, *, of: Event | int | str | None = None, **kwargs
    ) -> TestResponse:
        by = kwargs.pop("by", organizer)
        response = by.post(
            "/v1/stripe-authorizations", link_document(of or event, code or stripe.code(), **kwargs)
        )
        db.session.rollback()  # what the test reads next is what the request has written
        return response

    return link


@pytest.fixture(name="reconcile")
def _reconcile(app: Flask) -> Callable[..., ReconcileReport]:
    """Reconciles, and returns the report."""

    def reconcile(**options: Any) -> ReconcileReport:
        report = run_reconcile(app.extensions["stripe"], **options)
        db.session.rollback()
        return report

    return reconcile
