"""Passwords: what is kept of them, and what is one."""

import threading

import pytest
from argon2 import PasswordHasher

from app.auth import passwords
from app.auth.passwords import Unacceptable, admitted, is_outdated, make_hash, verify
from app.errors import RateLimited
from app.security.bulkhead import Bulkhead


def test_what_is_kept_is_an_argon2id_hash_with_a_salt_of_its_own():
    kept = {make_hash("secret"), make_hash("secret")}

    assert len(kept) == 2
    for each in kept:
        assert each.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert "secret" not in each


@pytest.mark.parametrize(
    "password", ["x", " ", "a b ", "x" * 1024, "pässwörd", "\U0001f511", "a\nb", "\x00", "x\x00y"]
)
def test_a_password_is_itself_and_nothing_else(password):
    kept = make_hash(password)

    assert verify(password, kept)
    assert not verify(password + " ", kept)
    assert not verify(password[:-1], kept)


@pytest.mark.parametrize("password", ["", "x" * 1025, "\ud800"])
def test_what_is_empty_or_endless_or_no_text_is_no_password(password):
    with pytest.raises(Unacceptable):
        make_hash(password)
    assert not verify(password, make_hash("x" * 1024))


def test_the_same_letters_are_the_same_password_however_they_are_composed():
    assert verify("cafe\u0301", make_hash("caf\u00e9"))


@pytest.mark.parametrize("kept", [None, "", "no password opens this account", "$argon2id$broken"])
def test_nothing_opens_an_account_without_a_password(kept):
    assert not verify("secret", kept)
    assert not verify("nobody has this password, because its hash is in no row", kept)


def test_a_hash_of_weaker_parameters_is_outdated():
    assert is_outdated(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret"))
    assert not is_outdated(make_hash("secret"))


def test_only_a_few_passwords_are_verified_at_the_same_moment(monkeypatch):
    monkeypatch.setattr(passwords, "_verifying", Bulkhead(passwords.AT_ONCE, 0.01))
    with admitted(), admitted(), pytest.raises(RateLimited), admitted():
        pass


def test_a_turn_that_failed_is_given_back():
    for _ in range(2 * passwords.AT_ONCE):
        with pytest.raises(ZeroDivisionError), admitted():
            raise ZeroDivisionError

    with admitted():
        assert True


def test_whoever_waits_is_let_in_when_a_turn_ends():
    entered = threading.Event()

    def wait_in_line():
        with admitted():
            entered.set()

    waiting = threading.Thread(target=wait_in_line)
    with admitted(), admitted():
        waiting.start()
        assert not entered.wait(0.05)
    waiting.join(10)

    assert entered.is_set()
