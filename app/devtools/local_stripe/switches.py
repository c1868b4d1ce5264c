"""What is not known for certain about Stripe: a switch with a default each.

The defaults are the documented behaviour where there is any, else the worst case for a client.
"""

from dataclasses import dataclass
from typing import Any

from .errors import ControlError


@dataclass(frozen=True)
class Switch:
    default: Any
    meaning: str
    choices: tuple = ()

    def check(self, name, value):
        """Refuse a value of another type than the default's, or one that is not offered."""
        if self.choices and value not in self.choices:
            raise ControlError(f"{name} is one of {', '.join(self.choices)}.")
        if type(value) is not type(self.default):
            raise ControlError(f"{name} must be a {type(self.default).__name__}.")
        return value


SWITCHES = {
    # the authorize page
    "deny_omits_state": Switch(False, "a denial comes back without the state"),
    "restricted_platform": Switch(False, "OAuth is switched off for the platform"),
    "platform_refuses_read_only": Switch(False, "authorize refuses the scope read_only"),
    "live_http_redirects": Switch(False, "live mode accepts http redirect URIs"),
    "authorize_error_status": Switch(400, "status of authorize errors other than unknown client"),
    "authorize_missing_response_type_text": Switch("Missing response_type parameter", "text"),
    "unsupported_response_type_text": Switch(
        "Currently the only supported response_type is code", "text"
    ),
    "invalid_scope_text": Switch("Invalid scope requested", "text, authorize and refresh"),
    # the exchange
    "four_fields": Switch(False, "the exchange answers without the three deprecated fields"),
    "reuse_revokes": Switch(
        "connection", "what a code presented twice takes away", ("connection", "tokens", "nothing")
    ),
    "reuse_sends_event": Switch(False, "a revocation by reuse fires the webhook"),
    "exchange_sends_event": Switch(True, "an exchange fires account.application.authorized"),
    "reconnect_revokes_tokens": Switch(False, "a new grant revokes the older ones' tokens"),
    "expired_code_text": Switch("Authorization code expired", "text"),
    "missing_code_text": Switch("No authorization code specified", "text"),
    "missing_refresh_token_text": Switch("No refresh token specified", "text"),
    "unsupported_grant_type_text": Switch("Unsupported grant type", "text"),
    "test_key_live_code_text": Switch("Authorization code provided does not belong to you", "text"),
    "live_key_test_refresh_text": Switch(
        "Passed in livemode API key but refresh token only supports returning test keys", "text"
    ),
    "refresh_token_on_refresh": Switch(
        "same", "the refresh token in a refresh's answer", ("same", "rotate", "omit")
    ),
    "restricted_keys_accepted": Switch(False, "rk_ keys may exchange and deauthorize"),
    "idempotency_on_connect": Switch(False, "connect.stripe.com honours Idempotency-Key"),
    "rate_limit_shape": Switch("api", "shape of the 429 body", ("api", "oauth", "html")),
    # deauthorizing, accounts, webhooks
    "deauthorize_missing_field_text": Switch("Missing required parameter: {field}", "text"),
    "deauthorize_other_mode_text": Switch("No such application: '{client_id}'", "text"),
    "unknown_account_text": Switch(
        "not-connected", "deauthorizing a made-up account", ("not-connected", "no-such-user")
    ),
    "deauthorize_sends_event": Switch(True, "/oauth/deauthorize fires the webhook as well"),
    "live_connection_covers_test": Switch(True, "a live connection opens the account's test mode"),
    "forbidden_account_has_request_id": Switch(True, "the 403 of a foreign account names itself"),
    "refusals_are_saved": Switch(
        False, "refusals before an endpoint begins are kept under the Idempotency-Key too"
    ),
    "creation_sends_event": Switch(
        False, "creating an account fires account.application.authorized"
    ),
    "account_creation_refused_text": Switch("", "the platform may not create accounts: the text"),
    # payments
    "test_mode_needs_charges_enabled": Switch(
        True, "an account that cannot charge takes no test payments either"
    ),
    "charges_disabled_status": Switch(400, "status where an account cannot charge"),
    "charges_disabled_code": Switch("", "its code, if any"),
    "charges_disabled_text": Switch(
        "Your account cannot currently make live charges. If you are a site administrator, "
        "activate your account at https://dashboard.stripe.com/account/onboarding to remove this "
        "restriction. If you are a customer trying to make a purchase, please contact the owner "
        "of this site. Your transaction has not been processed.",
        "its text",
    ),
    "confirming_needs_return_url": Switch(
        True, "confirming automatic payment methods that may redirect wants a return_url"
    ),
    "test_events_to_live_endpoint": Switch(True, "test events reach the live endpoint as well"),
}


class Switches:
    def __init__(self):
        self._values = {name: switch.default for name, switch in SWITCHES.items()}

    def __getitem__(self, name):
        return self._values[name]

    def change(self, wanted):
        """Set all of *wanted* or none; `null` restores a default."""
        checked = {}
        for name, value in wanted.items():
            if name not in SWITCHES:
                raise ControlError(f"There is no switch {name!r}.")
            switch = SWITCHES[name]
            checked[name] = switch.default if value is None else switch.check(name, value)
        self._values.update(checked)

    def as_dict(self):
        return dict(self._values)
