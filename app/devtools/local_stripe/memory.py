"""Keeps accounts and connections across a restart, in a file, for a demo that keeps its data.

Codes, events and requests are not kept: they are of the moment.
"""

import json
from dataclasses import asdict
from pathlib import Path

from .ledger import Account, Connection, Token


def save(ledger, path):
    """Write beside the file first, so that a crash leaves the old one whole."""
    with ledger.lock:
        kept = {
            "accounts": [asdict(each) for each in ledger.accounts.values()],
            "connections": [describe(each) for each in ledger.connections.values()],
        }
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(target.name + ".new")
    fresh.write_text(json.dumps(kept, indent=2))
    fresh.replace(target)


def describe(connection):
    valid = [token for token in connection.tokens if token.valid]
    return {
        "client_id": connection.application.client_id,
        "account": connection.account.id,
        "scope": connection.scope,
        "refresh_token": connection.refresh_token,
        "connected_at": connection.connected_at,
        "tokens": [[token.value, token.livemode, token.scope] for token in valid],
    }


def restore(ledger, path):
    """Take back what was saved; connections of other keys (another seed) are left out."""
    if not Path(path).exists():
        return
    kept = json.loads(Path(path).read_text())
    with ledger.lock:
        for fields in kept["accounts"]:
            ledger.add_account(Account(**fields))
        for fields in kept["connections"]:
            if fields["client_id"] in ledger.applications:
                reconnect(ledger, fields)


def reconnect(ledger, fields):
    application = ledger.applications[fields["client_id"]]
    account = ledger.accounts[fields["account"]]
    refresh_token = fields["refresh_token"]
    connection = Connection(
        application, account, fields["scope"], refresh_token, fields["connected_at"]
    )
    ledger.connections[application.client_id, account.id] = connection
    ledger.refresh_tokens[refresh_token] = connection
    for value, livemode, scope in fields["tokens"]:
        token = Token(value, connection, livemode, scope)
        connection.tokens.append(token)
        ledger.tokens[value] = token
