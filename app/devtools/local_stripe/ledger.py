"""The state of the local Stripe: platforms, accounts, codes, connections and tokens.

Plain records and the look-ups between them. Every look-up is one step in a dictionary, because
load tests exchange hundreds of codes at once. Whoever changes anything holds `ledger.lock`.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from .identifiers import derive, mint, mode_name

CODE_LIFETIME = 300


@dataclass(frozen=True)
class Application:
    """One mode of one platform: a client id and the keys that go with it."""

    platform: str
    livemode: bool
    client_id: str
    secret_key: str
    restricted_key: str
    publishable_key: str
    webhook_secret: str
    owner: str

    @classmethod
    def derive(cls, seed, platform, livemode):
        """The same keys for the same *seed*, so that a database set up once keeps working."""
        mode = mode_name(livemode)

        def make(prefix, what, length):
            return prefix + derive(seed, f"{platform}/{mode}/{what}", length)

        return cls(
            platform=platform,
            livemode=livemode,
            client_id=make("ca_", "client", 32),
            secret_key=make(f"sk_{mode}_", "secret", 24),
            restricted_key=make(f"rk_{mode}_", "restricted", 24),
            publishable_key=make(f"pk_{mode}_", "publishable", 24),
            webhook_secret=make("whsec_", "webhook", 32),
            owner="acct_" + derive(seed, f"{platform}/owner", 16),
        )


@dataclass
class Account:
    """`controlled_by` names the platform that created the account by the API."""

    id: str
    email: str | None
    country: str
    currency: str
    display_name: str
    created: int
    disabled_reason: str | None = None
    controlled_by: str | None = None
    is_platform: bool = False
    details_submitted: bool = True
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def charges_enabled(self) -> bool:
        """Whether it can be charged: its details are submitted and it is not restricted."""
        return self.details_submitted and self.disabled_reason is None

    @property
    def is_offered(self):
        """Whether the authorize page and the announcement offer it."""
        return not self.is_platform and self.controlled_by is None


@dataclass
class Connection:
    application: Application
    account: Account
    scope: str
    refresh_token: str
    connected_at: float
    tokens: list = field(default_factory=list)


@dataclass
class Token:
    value: str
    connection: Connection
    livemode: bool
    scope: str
    valid: bool = True


@dataclass
class Code:
    value: str
    application: Application
    account: Account
    scope: str
    created: float
    presented: int = 0
    used: bool = False
    tokens: list = field(default_factory=list)


@dataclass
class PaymentIntent:
    """A payment to one account in one mode; amounts are integers in the minor unit.

    `application` is the client id of the platform that made it, or None.
    """

    id: str
    account_id: str
    livemode: bool
    amount: int
    currency: str
    created: int
    client_secret: str
    application: str | None = None
    application_fee_amount: int | None = None
    status: str = "requires_payment_method"
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    is_automatic: bool = True
    may_redirect: bool = True
    payment_method: str | None = None
    return_url: str | None = None
    charge: str | None = None
    last_error: dict[str, Any] | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    idempotency_key: str | None = None


class Ledger:
    def __init__(self):
        self.lock = threading.RLock()
        self.applications = {}
        self.accounts = {}
        self.codes = {}
        self.connections = {}
        self.tokens = {}
        self.refresh_tokens = {}
        self.payment_intents: dict[str, PaymentIntent] = {}
        self._keys = {}

    def add_application(self, application):
        self.applications[application.client_id] = application
        self._keys[application.secret_key] = application
        self._keys[application.restricted_key] = application

    def add_account(self, account):
        self.accounts[account.id] = account
        return account

    def application_of_key(self, key):
        return self._keys.get(key)

    def application_of_publishable_key(self, key: str) -> Application | None:
        """Return the application of a publishable *key*."""
        return next((a for a in self.applications.values() if a.publishable_key == key), None)

    def sibling(self, application, livemode):
        """Return the same platform's application in the other mode, or itself."""
        return next(
            each
            for each in self.applications.values()
            if (each.platform, each.livemode) == (application.platform, livemode)
        )

    def platform_emails(self, application):
        return {each.email for each in self.accounts.values() if each.id == application.owner}

    def issue_code(self, application, account, scope, now):
        code = Code(mint("ac_", 32), application, account, scope, created=now)
        self.codes[code.value] = code
        return code

    def connect(self, application, account, scope, now):
        """
        Return the account's connection to *application* at *scope*, a new one if there is none.
        """
        key = (application.client_id, account.id)
        connection = self.connections.get(key)
        if connection is None:
            refresh_token = mint("rt_", 32)
            connection = Connection(application, account, scope, refresh_token, now)
            self.connections[key] = self.refresh_tokens[refresh_token] = connection
        connection.scope = scope
        return connection

    def issue_token(self, connection, livemode, scope):
        value = mint(f"sk_{mode_name(livemode)}_", 24)
        token = Token(value, connection, livemode, scope)
        connection.tokens.append(token)
        self.tokens[value] = token
        return token

    def rotate_refresh_token(self, connection):
        self.refresh_tokens.pop(connection.refresh_token)
        connection.refresh_token = mint("rt_", 32)
        self.refresh_tokens[connection.refresh_token] = connection

    def disconnect(self, client_id, account_id):
        """End the connection and all its tokens; return it, or None if there was none."""
        connection = self.connections.pop((client_id, account_id), None)
        if connection is not None:
            self.refresh_tokens.pop(connection.refresh_token, None)
            revoke(connection.tokens)
        return connection

    def connection(self, application, account_id):
        return self.connections.get((application.client_id, account_id))


def revoke(tokens):
    for token in tokens:
        token.valid = False
