"""Secrets at rest: what opens where, and that nothing is stored or shown in clear."""

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from app.db.transactions import transaction
from app.extensions import db
from app.models import Setting, StripeAuthorization
from app.security.crypto import Cipher, Sealed, Secret, SecretUnreadable

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))
PLACE = "settings.sealed_stripe_secret_key"
SETTINGS = [name for name, each in vars(Setting).items() if isinstance(each, Secret)]
LINKS = [name for name, each in vars(StripeAuthorization).items() if isinstance(each, Secret)]


@pytest.mark.parametrize("secret", ["sk_live_CANARY", "", "ключ 🔑", "a\x1fb", "x" * 10_000])
def test_what_is_sealed_opens_as_it_was(secret):
    cipher = Cipher([OLD])

    assert cipher.open(cipher.seal(secret, PLACE), PLACE) == secret


def test_sealing_twice_gives_two_texts_and_neither_shows_anything():
    one, other = (Cipher([OLD]).seal("sk_live_CANARY", PLACE) for _ in range(2))

    assert one != other
    assert "CANARY" not in one
    assert str(one) not in f"{one!r}"


def test_the_first_key_seals_and_every_key_opens():
    sealed = Cipher([OLD]).seal("CANARY", PLACE)
    anew = Cipher([NEW, OLD]).seal("CANARY", PLACE)

    assert Cipher([NEW, OLD]).open(sealed, PLACE) == "CANARY"
    assert Cipher([NEW]).open(anew, PLACE) == "CANARY"
    with pytest.raises(SecretUnreadable):
        Cipher([OLD]).open(anew, PLACE)


def test_without_its_key_a_secret_is_unreadable_and_never_missing():
    sealed = Cipher([LOST]).seal("CANARY", PLACE)

    with pytest.raises(SecretUnreadable) as refused:
        Cipher([NEW, OLD]).open(sealed, PLACE)

    said = str(refused.value)
    assert PLACE in said and "ENCRYPTION_KEYS" in said
    assert sealed not in said and refused.value.__cause__ is None


def test_another_place_is_refused_even_with_the_key():
    sealed = Cipher([OLD]).seal("CANARY", PLACE)

    with pytest.raises(SecretUnreadable, match="belongs elsewhere") as refused:
        Cipher([OLD]).open(sealed, "settings.sealed_stripe_test_secret_key")

    assert "CANARY" not in str(refused.value)


def test_a_secret_cannot_pass_for_another_place_by_what_it_says():
    """A secret that begins like a place and the separator stays where it was put."""
    sealed = Cipher([OLD]).seal("there\x1fCANARY", "here")

    with pytest.raises(SecretUnreadable):
        Cipher([OLD]).open(sealed, "here\x1fthere")


@pytest.mark.parametrize(
    "change",
    [
        lambda sealed: sealed[:-1],
        lambda sealed: sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:],
        lambda sealed: sealed.swapcase(),
        lambda sealed: sealed[:20],
        lambda sealed: "",
        lambda sealed: "sk_live_CANARYinclear",
        lambda sealed: "ключ",
        lambda sealed: "\ud800",
        lambda sealed: "\x00",
    ],
)
def test_what_was_tampered_with_does_not_open(change):
    sealed = Sealed(change(Cipher([OLD]).seal("CANARY", PLACE)))

    with pytest.raises(SecretUnreadable):
        Cipher([OLD]).open(sealed, PLACE)
    with pytest.raises(SecretUnreadable):
        Cipher([OLD]).reseal(sealed)


def test_resealing_keeps_secret_and_place_and_leaves_what_is_sealed_with_the_first_key():
    sealed = Cipher([OLD]).seal("CANARY", PLACE)

    fresh = Cipher([NEW, OLD]).reseal(sealed)

    assert Cipher([NEW]).open(fresh, PLACE) == "CANARY"
    assert Cipher([NEW, OLD]).reseal(fresh) == fresh
    with pytest.raises(SecretUnreadable):
        Cipher([NEW]).open(fresh, "elsewhere")


# In the database


@pytest.fixture(name="setting")
def _setting(app):
    """The settings, every secret of them set."""
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        for name in SETTINGS:
            setattr(setting, name, f"CANARY of {name}")
    return setting


def copy(table, target, source):
    """Copy a cell, as somebody can who writes to the database and has no key."""
    (to_column, to_id), (from_column, from_id) = target, source
    with transaction() as session:
        session.execute(
            text(
                f"UPDATE {table} SET {to_column} ="
                f" (SELECT {from_column} FROM {table} WHERE id = {from_id}) WHERE id = {to_id}"
            )
        )
    db.session.expire_all()


def test_a_setting_opens_in_no_other_column(app, setting):
    for source in SETTINGS:
        for target in SETTINGS:
            kept = getattr(setting, f"sealed_{target}")
            copy("settings", (target, 1), (source, 1))
            if target == source:
                assert getattr(setting, target) == f"CANARY of {source}"
            else:
                with pytest.raises(SecretUnreadable):
                    getattr(setting, target)
            with transaction():
                setattr(setting, f"sealed_{target}", kept)


@pytest.mark.parametrize(("target", "source"), [LINKS, LINKS[::-1]])
def test_a_token_opens_in_no_other_column_of_its_link(app, make, target, source):
    link = make.link(make.event())

    copy("stripe_authorizations", (target, link.id), (source, link.id))

    with pytest.raises(SecretUnreadable):
        getattr(link, target)


@pytest.mark.parametrize("column", LINKS)
def test_a_token_opens_for_no_other_event_mode_or_account(app, make, column):
    event = make.event()
    mine = make.link(event, stripe_user_id="acct_1")
    other_mode = make.link(event, stripe_user_id="acct_1", livemode=True)
    other_event = make.link(make.event(), stripe_user_id="acct_1")
    other_account = make.link(make.event(), stripe_user_id="acct_2")

    for link in (other_mode, other_event, other_account):
        copy("stripe_authorizations", (column, link.id), (column, mine.id))

        with pytest.raises(SecretUnreadable):
            getattr(link, column)


@pytest.mark.parametrize(
    "change", ["livemode = NOT livemode", "stripe_user_id = 'acct_2'", "event_id = 2"]
)
def test_a_link_that_is_turned_into_another_keeps_no_readable_token(app, make, change):
    link = make.link(make.event(), stripe_user_id="acct_1")
    make.event()
    with transaction() as session:
        session.execute(text(f"UPDATE stripe_authorizations SET {change}"))
    db.session.expire_all()

    for column in LINKS:
        with pytest.raises(SecretUnreadable):
            getattr(link, column)


def test_a_token_of_a_link_is_no_setting_and_a_setting_is_no_token(app, make, setting):
    link = make.link(make.event())
    with transaction():
        setting.sealed_stripe_secret_key = link.sealed_stripe_secret_key
        link.sealed_stripe_refresh_token = setting.sealed_stripe_test_secret_key

    with pytest.raises(SecretUnreadable):
        _ = setting.stripe_secret_key
    with pytest.raises(SecretUnreadable):
        _ = link.stripe_refresh_token


def test_the_column_takes_nothing_but_sealed_text_and_does_not_repeat_it(app, setting):
    setting.sealed_stripe_secret_key = "sk_live_CANARY"

    with pytest.raises((TypeError, StatementError), match="must be sealed") as refused:
        db.session.flush()

    assert "CANARY" not in f"{refused.value} {refused.value!r}"
    db.session.rollback()


def test_plain_text_that_somebody_wrote_into_the_database_is_not_taken_for_a_secret(app, setting):
    with transaction() as session:
        session.execute(text("UPDATE settings SET stripe_secret_key = 'sk_live_CANARY'"))
    db.session.expire_all()

    with pytest.raises(SecretUnreadable) as refused:
        _ = setting.stripe_secret_key

    assert "CANARY" not in str(refused.value)


def test_a_secret_needs_to_know_its_place_first(app):
    with pytest.raises(ValueError, match="before a secret"):
        StripeAuthorization(event_id=1, livemode=False).stripe_secret_key = "sk_test_CANARY"
