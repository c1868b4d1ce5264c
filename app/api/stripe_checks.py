"""`stripe-check`: whether the platform's keys are right."""

from dataclasses import asdict
from typing import Any

from flask import current_app, request
from marshmallow_jsonapi import fields

from app.auth.guard import current_caller
from app.jsonapi.fields import Flag, Moment, Text
from app.jsonapi.resources import Schema, StrictResource, dasherize
from app.services.platform.checks import check_platform_for


class StripeCheckSchema(Schema):
    """The result of a check: each of `checks` has `mode`, `check`, `result` and `sentence`."""

    class Meta:
        type_ = "stripe-check"
        inflect = dasherize

    id = fields.Str(dump_only=True)
    ok = Flag(dump_only=True)
    stripe_mode = Text(dump_only=True)
    checked_at = Moment(dump_only=True)
    checks = fields.Function(lambda found: [asdict(each) for each in found.checks])


class StripeCheckList(StrictResource):
    """
    `POST`, with a document of the type or without any body, to have the keys checked now.

    Answered by 201 like every resource that is made, but without `Location`: nothing is kept.
    """

    schema = StripeCheckSchema

    @classmethod
    def check_document(cls) -> None:
        if request.get_data():
            super().check_document()

    def post(self) -> tuple[dict[str, Any], int]:
        self.check_document()
        found = check_platform_for(current_caller(), current_app.extensions["stripe"])
        return self.dump(found), 201
