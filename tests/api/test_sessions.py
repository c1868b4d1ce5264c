"""Signing in and out, through the front door."""

import pytest

from app.services.passwords import make_hash

PASSWORD = "correct horse"


@pytest.fixture(name="user")
def _user(make):
    return make.user("ada@example.com", password_hash=make_hash(PASSWORD))


def sign_in(client, path="/auth/session", **body):
    given = {"email": "ada@example.com", "password": PASSWORD, **body}
    return client.post(path, given, Content_Type="application/json")


@pytest.mark.parametrize("path", ["/auth/session", "/v1/auth/login"])
@pytest.mark.parametrize("name", ["email", "username"])
def test_an_email_and_its_password_give_an_access_token(client, user, path, name):
    body = {name: " ADA@example.com ", "password": PASSWORD}
    response = client.post(path, body, Content_Type="application/json")

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert list(response.json) == ["access_token"]


def test_a_wrong_password_is_refused(client, user):
    response = sign_in(client, password="wrong")

    assert response.status_code == 401
    assert response.content_type == "application/json"
    assert response.json == {"error": "Invalid Credentials"}
