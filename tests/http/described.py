"""
Requests that Schemathesis generates from `/openapi.json`, each sent as every role.

Every answer must be as the document says: a status that the operation lists, a content type and
headers that it names, and a body that follows its schema. Never a 500.
"""

from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from schemathesis.generation import GenerationMode

from app.auth.policy import ADMIN, ANYONE, COORGANIZER, ORGANIZER, OWNER, USER, Role
from tests.callers import Client
from tests.factories import Factory
from tests.stripe_world import StripeWorld

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


class Described:
    """An application with an event, a link and somebody in each role who asks."""

    def __init__(self, app: Flask, stripe: StripeWorld) -> None:
        self.sent = 0
        make = Factory()
        make.platform(stripe)
        owner = make.user()
        event = make.event(owner)
        self.ids = {
            "event": str(event.id),
            "authorization": str(make.link(event).id),
            "user": "me",
            "setting": "1",
            "role": "1",
            "payment": "1",
            "file": "start.js",
        }
        people = {
            USER: make.user(),
            COORGANIZER: make.person(event, "coorganizer"),
            ORGANIZER: make.person(event, "organizer"),
            OWNER: owner,
            ADMIN: make.admin(),
        }
        self.headers: dict[Role, dict[str, str]] = {ANYONE: {}}
        for role, person in people.items():
            token = Client(app).as_(person).token
            self.headers[role] = {"Authorization": f"JWT {token}"}
        self.schema = schemathesis.openapi.from_wsgi("/openapi.json", app)

    def operations(self) -> list[Any]:
        """Return every operation of the document; what deletes comes last."""
        found = [result.ok() for result in self.schema.get_all_operations()]
        return sorted(found, key=lambda operation: operation.method.upper() == "DELETE")

    def try_operation(self, operation: Any, examples: int) -> None:
        """Send *examples* generated requests, each as every role; raise what a check finds."""

        @settings(max_examples=examples, deadline=None, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck), phases=[Phase.generate])  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        def ask(case: Any) -> None:
            given_path = case.path_parameters or {}
            case.path_parameters = {
                name: self.ids.get(name, given_path[name]) for name in given_path
            }
            generated = dict(case.headers or {})
            for headers in self.headers.values():
                case.headers = {**generated, **headers}
                case.call_and_validate(checks=CHECKS)
                self.sent += 1

        ask()
