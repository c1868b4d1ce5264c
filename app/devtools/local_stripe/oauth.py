"""connect.stripe.com: /oauth/token and /oauth/deauthorize."""

from flask import Blueprint, request

from .authentication import authenticate
from .current import local_stripe
from .errors import (
    OAuthError,
    invalid_grant,
    invalid_request,
    no_such_application,
    not_connected,
)
from .identifiers import derive, mode_name
from .ledger import CODE_LIFETIME, revoke

blueprint = Blueprint("oauth", __name__)

REUSED = (
    "This authorization code has already been used. "
    "All tokens issued with this code have been revoked."
)
SCOPES = {"read_only": 1, "read_write": 2}


@blueprint.post("/oauth/token")
def token():
    stripe = local_stripe()
    application = authenticate(stripe, request)
    grant_type = request.form.get("grant_type")
    if not grant_type:
        raise invalid_request("No grant type specified")
    if grant_type == "authorization_code":
        return exchange(stripe, application, request.form)
    if grant_type == "refresh_token":
        return refresh(stripe, application, request.form)
    text = stripe.switches["unsupported_grant_type_text"]
    raise OAuthError(400, "unsupported_grant_type", text)


def exchange(stripe, application, form):
    """Exchange a code: of any number of simultaneous attempts exactly one succeeds."""
    with stripe.ledger.lock:
        code = find_code(stripe, application, form.get("code"))
        if code.used:
            punish_reuse(stripe, code)
            raise invalid_grant(REUSED)
        if stripe.clock.now() - code.created > CODE_LIFETIME:
            raise invalid_grant(stripe.switches["expired_code_text"])
        code.used = True
        connection, access = grant(stripe, code)
    if stripe.switches["exchange_sends_event"]:
        stripe.webhooks.application_event("account.application.authorized", connection)
    return answer(stripe, connection, access, connection.refresh_token)


def find_code(stripe, application, value):
    """Return the code if it is for this platform and mode; a wrong key does not spend it."""
    if not value:
        raise invalid_request(stripe.switches["missing_code_text"])
    code = stripe.ledger.codes.get(value)
    if code is None:
        raise invalid_grant(f"Authorization code does not exist: {value}")
    code.presented += 1
    if code.application.platform != application.platform:
        raise invalid_grant("Authorization code provided does not belong to you")
    if application.livemode and not code.application.livemode:
        raise invalid_grant(
            "Passed in livemode API key but authorization code only supports returning test keys"
        )
    if code.application.livemode and not application.livemode:
        raise invalid_grant(stripe.switches["test_key_live_code_text"])
    return code


def grant(stripe, code):
    ledger = stripe.ledger
    connection = ledger.connect(code.application, code.account, code.scope, stripe.clock.now())
    if stripe.switches["reconnect_revokes_tokens"]:
        revoke(connection.tokens)
    access = ledger.issue_token(connection, code.application.livemode, code.scope)
    code.tokens.append(access)
    return connection, access


def punish_reuse(stripe, code):
    """Revoke what a code gave: one that comes twice may be stolen."""
    taken = stripe.switches["reuse_revokes"]
    if taken == "nothing":
        return
    revoke(code.tokens)
    if taken == "connection":
        connection = stripe.ledger.disconnect(code.application.client_id, code.account.id)
        if connection and stripe.switches["reuse_sends_event"]:
            stripe.webhooks.application_event("account.application.deauthorized", connection)


def answer(stripe, connection, access, refresh_token):
    """Return the answer, with the historic seven fields or today's four."""
    body = {
        "access_token": access.value,
        "livemode": access.livemode,
        "refresh_token": refresh_token,
        "token_type": "bearer",
        "stripe_publishable_key": publishable_key(stripe, connection, access.livemode),
        "stripe_user_id": connection.account.id,
        "scope": access.scope,
    }
    if refresh_token is None:
        del body["refresh_token"]
    if stripe.switches["four_fields"]:
        kept = ("token_type", "scope", "livemode", "stripe_user_id")
        body = {name: body[name] for name in kept}
    return stripe.json(body)


def publishable_key(stripe, connection, livemode):
    label = f"{connection.application.client_id}/{connection.account.id}/{livemode}"
    return f"pk_{mode_name(livemode)}_" + derive(stripe.seed, label, 24)


def refresh(stripe, application, form):
    """Issue a token of equal or lesser scope; the key decides its mode and replaces the old one."""
    with stripe.ledger.lock:
        connection = find_refreshable(stripe, application, form.get("refresh_token"))
        scope = form.get("scope") or connection.scope
        if SCOPES.get(scope, 9) > SCOPES[connection.scope]:
            raise OAuthError(400, "invalid_scope", stripe.switches["invalid_scope_text"])
        livemode = application.livemode
        revoke(t for t in connection.tokens if (t.scope, t.livemode) == (scope, livemode))
        access = stripe.ledger.issue_token(connection, livemode, scope)
        shown = shown_refresh_token(stripe, connection)
    return answer(stripe, connection, access, shown)


def find_refreshable(stripe, application, value):
    if not value:
        raise invalid_request(stripe.switches["missing_refresh_token_text"])
    connection = stripe.ledger.refresh_tokens.get(value)
    if connection is None or connection.application.platform != application.platform:
        raise invalid_grant(f"Refresh token does not exist: {value}")
    if application.livemode and not connection.application.livemode:
        raise invalid_grant(stripe.switches["live_key_test_refresh_text"])
    return connection


def shown_refresh_token(stripe, connection):
    manner = stripe.switches["refresh_token_on_refresh"]
    if manner == "rotate":
        stripe.ledger.rotate_refresh_token(connection)
    return None if manner == "omit" else connection.refresh_token


@blueprint.post("/oauth/deauthorize")
def deauthorize():
    stripe = local_stripe()
    application = authenticate(stripe, request)
    client_id = required(stripe, "client_id")
    check_client_id(stripe, application, client_id)
    account_id = required(stripe, "stripe_user_id")
    refuse_controlled(stripe, account_id)
    with stripe.ledger.lock:
        connection = stripe.ledger.disconnect(client_id, account_id)
    if connection is None:
        raise unconnected(stripe, account_id)
    if stripe.switches["deauthorize_sends_event"]:
        stripe.webhooks.application_event("account.application.deauthorized", connection)
    return stripe.json({"stripe_user_id": account_id})


def check_client_id(stripe, application, client_id):
    """Refuse a key that is not the application's own: same platform, same mode."""
    named = stripe.ledger.applications.get(client_id)
    if named is None or named.platform != application.platform:
        raise no_such_application(client_id)
    if named is not application:
        text = stripe.switches["deauthorize_other_mode_text"]
        raise OAuthError(401, "invalid_client", text.replace("{client_id}", client_id))


def required(stripe, field):
    value = request.form.get(field)
    if not value:
        text = stripe.switches["deauthorize_missing_field_text"]
        raise invalid_request(text.replace("{field}", field))
    return value


def refuse_controlled(stripe, account_id):
    account = stripe.ledger.accounts.get(account_id)
    if account is not None and account.controlled_by:
        raise OAuthError(
            401,
            "invalid_client",
            "no_deauth_on_controlled_account: this account is controlled by a platform; "
            "use the reject API.",
        )


def unconnected(stripe, account_id):
    is_known = account_id in stripe.ledger.accounts
    if not is_known and stripe.switches["unknown_account_text"] == "no-such-user":
        return OAuthError(401, "invalid_client", f"No such user: {account_id}")
    return not_connected(account_id)
