"""Keeps accounts, connections, payments and idempotency keys in a file, across restarts.

For a demo that keeps its data. Codes, account links, events and requests are not kept.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .idempotency import Entry, IdempotencyKeys, Request
from .ledger import Account, Connection, Ledger, PaymentIntent, Token


def save(ledger: Ledger, keys: IdempotencyKeys, path: str) -> None:
    """Write beside the file first, so that a crash leaves the old one whole."""
    with ledger.lock:
        kept = {
            "accounts": [asdict(each) for each in ledger.accounts.values()],
            "connections": [describe(each) for each in ledger.connections.values()],
            "payment_intents": [asdict(each) for each in ledger.payment_intents.values()],
            "idempotency_keys": [describe_key(*each) for each in keys.kept()],
        }
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(target.name + ".new")
        fresh.write_text(json.dumps(kept, indent=2))
        fresh.replace(target)


def describe_key(name: tuple[str, ...], entry: Entry) -> dict[str, Any]:
    assert entry.answer is not None
    body, status, kind = entry.answer
    return {"name": name, **asdict(entry), "answer": [body.decode(), status, kind]}


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


def restore(ledger: Ledger, keys: IdempotencyKeys, path: str) -> None:
    """Restore what was saved; connections of other keys (another seed) are left out."""
    if not Path(path).exists():
        return
    kept = json.loads(Path(path).read_text())
    with ledger.lock:
        for fields in kept["accounts"]:
            ledger.add_account(Account(**fields))
        for fields in kept["connections"]:
            if fields["client_id"] in ledger.applications:
                reconnect(ledger, fields)
        for fields in kept.get("payment_intents", []):
            ledger.payment_intents[fields["id"]] = PaymentIntent(**fields)
    for fields in kept.get("idempotency_keys", []):
        keys.restore(tuple(fields["name"]), read_key(fields))


def read_key(fields: dict[str, Any]) -> Entry:
    form = tuple((name, value) for name, value in fields["request"]["form"])
    body, status, kind = fields["answer"]
    return Entry(
        Request(fields["request"]["path"], form),
        fields["request_id"],
        fields["created"],
        (body.encode(), status, kind),
    )


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
