"""Who may see which user, through the front door."""

import pytest

from tests.callers import assert_error

PERSONAL = {"email", "is-admin", "is-super-admin", "is-verified", "created-at"}


@pytest.mark.parametrize("reference", ["me", "{id}"])
def test_everybody_sees_themselves(client, make, reference):
    user = make.user("ada@example.com")

    response = client.as_(user).get("/v1/users/" + reference.format(id=user.id))

    assert response.status_code == 200
    data = response.json["data"]
    assert (data["type"], data["id"]) == ("user", str(user.id))
    assert set(data["attributes"]) == PERSONAL
    assert data["attributes"]["email"] == "ada@example.com"
    assert data["links"] == {"self": f"/v1/users/{user.id}"}


def test_no_password_is_shown_to_anybody(client, make):
    user = make.user(password_hash="$argon2id$canary")

    for caller in (client.as_(user), client.as_(make.admin())):
        assert "canary" not in caller.get(f"/v1/users/{user.id}").text
        response = caller.get(f"/v1/users/{user.id}?fields[user]=password-hash")
        assert_error(response, 400, "bad-parameter", parameter="fields[user]")


@pytest.mark.parametrize("kind", ["is_admin", "is_super_admin"])
def test_an_admin_sees_everybody(client, make, kind):
    user = make.user("ada@example.com")

    response = client.as_(make.user(**{kind: True})).get(f"/v1/users/{user.id}")

    assert response.status_code == 200
    assert response.json["data"]["attributes"]["email"] == "ada@example.com"


def test_nobody_else_sees_anybody_and_cannot_even_tell_whether_they_are_there(client, make):
    user = make.user()
    caller = client.as_(make.user())

    for reference in (user.id, 999_999, "me2", "-1", "1%00", "9" * 30):
        assert_error(caller.get(f"/v1/users/{reference}"), 403, "forbidden")


@pytest.mark.parametrize("reference", ["999999", "0", "me2", "9" * 30, "1%00"])
def test_an_admin_is_told_that_a_user_is_not_there(client, make, reference):
    assert_error(client.as_(make.admin()).get(f"/v1/users/{reference}"), 404, "not-found")


def test_a_deleted_user_is_not_there(client, make):
    user = make.user(deleted_at=make.event().starts_at)

    assert_error(client.as_(make.admin()).get(f"/v1/users/{user.id}"), 404, "not-found")


@pytest.mark.parametrize("reference", ["me", "1"])
def test_without_a_token_there_is_no_user_to_see(client, reference):
    assert_error(client.get(f"/v1/users/{reference}"), 401, "unauthenticated")
