"""`stripe-account`: accounts that the caller connected, to be used for more events."""

from flask import current_app, g
from marshmallow import fields as plain
from marshmallow_jsonapi import fields

from app.auth.guard import current_caller
from app.jsonapi.fields import Flag, Text
from app.jsonapi.resources import CollectionResource, DetailResource, Schema, dasherize
from app.services.accounts.views import (
    ACCOUNT_ID,
    LIVEMODE,
    AccountView,
    list_accounts,
    read_account,
)


class StripeAccountSchema(Schema):
    """An account in one mode, and how many events use it."""

    class Meta:
        type_ = "stripe-account"
        inflect = dasherize
        self_url = "/v1/stripe-accounts/{id}"
        self_url_kwargs = {"id": "<id>"}

    id = fields.Str()
    display_name = Text(dump_only=True)
    livemode = Flag(dump_only=True)
    account_status = Text(dump_only=True)
    country = Text(dump_only=True)
    linked_events = plain.Integer(dump_only=True)


class StripeAccountList(CollectionResource):
    """The accounts that the caller connected, of the current mode unless `filter[livemode]`."""

    schema = StripeAccountSchema
    filters = {"livemode": LIVEMODE}
    sorts = {"id": ACCOUNT_ID}

    def get_page(self) -> tuple[int, list[AccountView]]:
        return list_accounts(current_caller(), g.query.page)


class StripeAccountDetail(DetailResource):
    """One account that the caller connected."""

    schema = StripeAccountSchema

    def find(self, account: str) -> AccountView:
        found = read_account(account, current_caller())
        current_app.extensions["refreshes"].schedule(found)
        return found
