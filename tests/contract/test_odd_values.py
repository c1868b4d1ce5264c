"""Odd addresses and queries reach neither database in a way that it refuses."""

from urllib.parse import quote

from tests.http.odd_requests import QUERIES, STRANGE_PATHS, raw


def test_no_odd_address_is_more_than_not_found(client):
    found = {path: raw(client, "GET", path).status_code for path in STRANGE_PATHS}

    assert set(found.values()) == {404}, found


def test_no_odd_query_is_more_than_a_bad_parameter(client, organizer, event):
    for caller in (client, organizer):
        headers = {"Authorization": f"JWT {caller.token}"} if caller.token else {}
        for path in ("/v1/events", "/v1/stripe-authorizations"):
            for query in QUERIES:
                address = f"{path}?{quote(query, safe='=&%[]')}"
                status = raw(caller, "GET", address, headers=headers).status_code
                assert status in (200, 400, 401), address
