"""
Secrets at rest: the cipher, and the column that takes nothing but sealed text.

A sealed secret carries its context (table, column and what identifies the row) inside the
authenticated text, as associated data would be. It does not open in another row or column: write
access to the database alone cannot make one event use another's token, or turn the live key into
the test key.
"""

from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

from app.extensions import bound

SEPARATOR = "\x1f"
NOT_OURS = (InvalidToken, ValueError)  # the latter is raised for text beyond ASCII


class SecretUnreadable(Exception):
    """
    A stored secret does not open: its key is not configured, or it was sealed in another context.

    The message, meant for the log, names the context and says what to do.
    """


class Sealed(str):
    """Text that a cipher has sealed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Sealed(…)"


class Cipher:
    """
    Seals with the first of *keys*, opens with any of them (Fernet: AES-128-CBC and HMAC-SHA256).
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._first = Fernet(keys[0])
        self._all = MultiFernet([Fernet(key) for key in keys])

    def seal(self, secret: str, context: str) -> Sealed:
        """Return *secret* encrypted and bound to *context*."""
        return Sealed(self._first.encrypt(f"{context}{SEPARATOR}{secret}".encode()).decode())

    def open(self, sealed: str, context: str) -> str:
        """
        Return the secret that was sealed in *context*.

        Raises SecretUnreadable if no key opens it, or if it was sealed in another context.
        """
        try:
            text = self._all.decrypt(sealed).decode()
        except NOT_OURS:
            raise SecretUnreadable(
                f"No key in ENCRYPTION_KEYS opens the secret stored at {context}."
                " Add the key that sealed it, or store the secret anew."
            ) from None
        found, _, secret = text.partition(SEPARATOR)
        if found != context:
            raise SecretUnreadable(
                f"The secret stored at {context} belongs elsewhere:"
                " the row was changed outside this service. Store the secret anew."
            )
        return secret

    def reseal(self, sealed: str) -> Sealed:
        """
        Return *sealed* under the first key; itself if it is already.

        Raises SecretUnreadable if no key opens it.
        """
        try:
            self._first.decrypt(sealed)
        except NOT_OURS:
            try:
                return Sealed(self._all.rotate(sealed).decode())
            except NOT_OURS:
                raise SecretUnreadable("No configured key opens a stored secret.") from None
        return Sealed(sealed)


class EncryptedText(TypeDecorator[Sealed]):
    """A text column for sealed secrets. Binding plain text to it is a TypeError."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        if value is not None and not isinstance(value, Sealed):
            raise TypeError("A secret must be sealed before it is stored.")
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Sealed | None:
        return None if value is None else Sealed(value)


class Secret:
    """
    A model's attribute over an EncryptedText column: plain text in and out, sealed in between.

    The model's `secret_context(column)` says what its secrets are bound to; set what it depends on
    before the secret.
    """

    def __init__(self, column: str) -> None:
        self.column = column

    def __get__(self, row: Any, owner: type | None = None) -> Any:
        if row is None:
            return self
        sealed = getattr(row, self.column)
        return None if sealed is None else cipher().open(sealed, row.secret_context(self.column))

    def __set__(self, row: Any, secret: str | None) -> None:
        sealed = None if secret is None else cipher().seal(secret, row.secret_context(self.column))
        setattr(row, self.column, sealed)


def cipher() -> Cipher:
    """Return the running application's cipher."""
    found: Cipher = bound("cipher")
    return found
