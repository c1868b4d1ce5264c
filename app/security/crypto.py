"""
Secrets at rest: the cipher, and the column that takes nothing but sealed text.

A sealed secret carries its place (table, column, and what identifies the row) inside the
authenticated text. Copied to another row or column it does not open: whoever can write to the
database alone cannot make one event use another's token, or the live key serve as the test key.
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
    A stored secret does not open: its key is not configured, or it was put where it is.

    The message, meant for the log, names its place and says what to do.
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

    def seal(self, secret: str, place: str) -> Sealed:
        """Return *secret* encrypted and bound to *place*."""
        return Sealed(self._first.encrypt(f"{place}{SEPARATOR}{secret}".encode()).decode())

    def open(self, sealed: str, place: str) -> str:
        """
        Return the secret that was sealed for *place*.

        Raises SecretUnreadable if no key opens it, or if it was sealed for another place.
        """
        try:
            text = self._all.decrypt(sealed).decode()
        except NOT_OURS:
            raise SecretUnreadable(
                f"No key in ENCRYPTION_KEYS opens the secret stored at {place}."
                " Add the key that sealed it, or store the secret anew."
            ) from None
        found, _, secret = text.partition(SEPARATOR)
        if found != place:
            raise SecretUnreadable(
                f"The secret stored at {place} was sealed for another place:"
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

    The model says by `place(column)` what its secrets are bound to; whatever that depends on must
    be set before the secret.
    """

    def __init__(self, column: str) -> None:
        self.column = column

    def __get__(self, row: Any, owner: type | None = None) -> Any:
        if row is None:
            return self
        sealed = getattr(row, self.column)
        return None if sealed is None else cipher().open(sealed, row.place(self.column))

    def __set__(self, row: Any, secret: str | None) -> None:
        sealed = None if secret is None else cipher().seal(secret, row.place(self.column))
        setattr(row, self.column, sealed)


def cipher() -> Cipher:
    """Return the running application's cipher."""
    found: Cipher = bound("cipher")
    return found
