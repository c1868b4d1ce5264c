"""`payment-intent`: a payment to the account that is linked to an event."""

import re
from typing import Any

from flask import current_app, g, request
from marshmallow import ValidationError, validate
from marshmallow import fields as plain
from marshmallow_jsonapi import fields
from sqlalchemy import func

from app.api.event_schema import Currency, to_event
from app.auth.guard import current_caller
from app.auth.policy import ORGANIZER
from app.db.types import is_plain
from app.errors import Invalid
from app.jsonapi.fields import WORDS, Flag, Moment, Text
from app.jsonapi.resources import CollectionResource, DetailResource, Schema, check_id, dasherize
from app.models import PaymentIntent
from app.services.payments.cancel import cancel_payment
from app.services.payments.create import create_payment
from app.services.payments.request import OUR_METADATA, PaymentRequest
from app.services.payments.views import PaymentView, list_payments, read_payment

LARGEST_AMOUNT = 99_999_999
VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")
METADATA_NAME = re.compile(r"[^\[\]]{1,40}")
MOST_METADATA, LONGEST_METADATA = 20, 500


class Amount(plain.Integer):
    """An integer of the currency's minor unit; text, a point and a bool are none."""

    default_error_messages = WORDS

    def __init__(self, *, least: int, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)
        self.least = least

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise ValidationError("This must be an integer, in the currency's minor unit.")
        if not self.least <= value <= LARGEST_AMOUNT:
            raise ValidationError(f"This must be {self.least} to {LARGEST_AMOUNT}.")
        return value


class Metadata(plain.Field[dict[str, str]]):
    """At most 20 short texts by short names, as Stripe takes them."""

    default_error_messages = WORDS

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dict[str, str]:
        if not isinstance(value, dict) or len(value) > MOST_METADATA:
            raise ValidationError(f"This must be an object of at most {MOST_METADATA} texts.")
        for name, text in value.items():
            if not METADATA_NAME.fullmatch(name) or not name.isprintable() or name == OUR_METADATA:
                raise ValidationError("A name has 1 to 40 characters and no brackets.")
            if not isinstance(text, str) or len(text) > LONGEST_METADATA:
                raise ValidationError(f"Each value is a text of at most {LONGEST_METADATA}.")
            if not is_plain(text):
                raise ValidationError("This contains characters that are not allowed.")
        return value


# What `PaymentIntent.status` says, for the database.
STATUS = func.coalesce(PaymentIntent.stripe_status, PaymentIntent.outcome, "unclear")


class PaymentIntentSchema(Schema):
    """A payment. Only the answer to its creation shows the client secret."""

    PRIVATE = {"client_secret": ORGANIZER}

    class Meta:
        type_ = "payment-intent"
        inflect = dasherize
        self_url = "/v1/payment-intents/{id}"
        self_url_kwargs = {"id": "<id>"}

    id = fields.Str()
    amount = Amount(least=1, required=True)
    currency = Currency()
    idempotency_key = Text(
        required=True,
        validate=validate.Regexp(
            VISIBLE_ASCII.pattern + r"\Z", error="This must be 1 to 255 visible ASCII characters."
        ),
    )
    description = Text(longest=1000, allow_none=True)
    metadata = Metadata(load_only=True)
    application_fee_amount = Amount(least=0)
    status = Text(dump_only=True)
    stripe_payment_intent_id = Text(dump_only=True)
    client_secret = Text(dump_only=True)
    stripe_publishable_key = Text(dump_only=True)
    stripe_account = Text(dump_only=True)
    livemode = Flag(dump_only=True)
    created_at = Moment(dump_only=True)
    event = to_event()

    def hidden(self, obj: Any) -> frozenset[str]:
        return frozenset() if obj.client_secret else frozenset(self.PRIVATE)


class PaymentIntentList(CollectionResource):
    """`POST` to create a payment; the same idempotency key again brings the same one."""

    schema = PaymentIntentSchema

    def create_object(self, data: dict[str, Any], kwargs: dict[str, Any]) -> PaymentView:
        fee = data.get("application_fee_amount", 0)
        if fee > data["amount"]:
            raise Invalid("The fee is at most the amount.", field="application_fee_amount")
        wanted = PaymentRequest(
            event=data["event"],
            caller=current_caller(),
            amount=data["amount"],
            currency=data.get("currency"),
            idempotency_key=data["idempotency_key"],
            description=data.get("description"),
            metadata=data.get("metadata", {}),
            application_fee_amount=fee,
        )
        result = create_payment(wanted, current_app.extensions["stripe"])
        self.is_new = result.created
        return result.payment

    def after_post(self, result: Any) -> Any:
        """Answer 200 instead of 201 if the payment was there before."""
        document, _, headers = super().after_post(result)
        return document, 201 if self.is_new else 200, headers if self.is_new else {}


class PaymentIntentChangeSchema(Schema):
    """What a PATCH may say: that the payment is canceled."""

    class Meta:
        type_ = "payment-intent"
        inflect = dasherize

    id = fields.Str()
    status = Text(
        required=True,
        validate=validate.OneOf(["canceled"], error="A payment can only be set to canceled."),
    )


class PaymentIntentDetail(DetailResource):
    """One payment; a PATCH cancels it."""

    schema = PaymentIntentSchema
    change_schema = PaymentIntentChangeSchema

    def find(self, payment: str) -> PaymentView:
        return read_payment(payment, current_caller())

    def patch(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        data = self.change_schema(partial=("id",)).load(request.get_json())
        return self.dump(self.change(data, **kwargs))

    def change(self, data: dict[str, Any], payment: str) -> PaymentView:
        found = read_payment(payment, current_caller())
        check_id(data, found.id)
        return cancel_payment(payment, current_caller(), current_app.extensions["stripe"])


class EventPaymentIntents(CollectionResource):
    """The payments of an event, newest first."""

    schema = PaymentIntentSchema
    filters = {
        "status": STATUS,
        "created-at": PaymentIntent.created_at,
        "livemode": PaymentIntent.livemode,
    }
    sorts = {"created-at": PaymentIntent.created_at, "id": PaymentIntent.id}

    def get_page(self, event: str) -> tuple[int, list[PaymentView]]:
        count, page = list_payments(event, current_caller(), g.query.page)
        return count, list(page)
