"""How many statements a request may cost: what is read for every ticket buyer must stay cheap."""

import pytest

from tests.callers import link_document


def read_twice(caller, path, statements):
    """Read *path*, and again, now that every connection knows its statements; return the answer."""
    caller.get(path)
    statements.clear()
    return caller.get(path)


def test_a_link_costs_its_reader_two_statements(client, owner, event, make, statements):
    link = make.link(event)

    response = read_twice(client.as_(owner), f"/v1/stripe-authorizations/{link.id}", statements)

    assert response.status_code == 200
    assert len(statements) <= 2, statements


@pytest.mark.parametrize("reference", ["id", "identifier"])
def test_an_events_link_costs_a_buyer_one_statement(client, event, make, reference, statements):
    make.link(event)
    path = f"/v1/events/{getattr(event, reference)}/stripe-authorization"

    response = read_twice(client, path, statements)

    assert response.status_code == 200
    assert len(statements) <= 1, statements


def test_what_an_answer_not_modified_costs_is_the_same(client, event, make, statements):
    make.link(event)
    path = f"/v1/events/{event.id}/stripe-authorization"
    etag = read_twice(client, path, statements).headers["ETag"]
    statements.clear()

    assert client.get(path, If_None_Match=etag).status_code == 304
    assert len(statements) <= 1, statements


def test_a_page_of_payments_costs_the_same_however_many_it_has(
    client, owner, event, make, statements
):
    link, caller = make.link(event), client.as_(owner)
    path = f"/v1/events/{event.id}/payment-intents"
    make.payment(event, link)
    read_twice(caller, path, statements)
    of_one = len(statements)
    for number in range(5):
        make.payment(event, link, idempotency_key=f"order-{number}")
    statements.clear()

    assert len(caller.get(path).json["data"]) == 6
    assert len(statements) == of_one, statements


def test_the_public_settings_cost_one_statement(client, statements):
    response = read_twice(client, "/v1/settings?public=true&cache=true", statements)

    assert response.status_code == 200
    assert len(statements) <= 1, statements


def test_a_page_of_links_costs_three_statements_however_many(client, owner, make, statements):
    for _ in range(5):
        make.link(make.event(owner))

    response = read_twice(client.as_(owner), "/v1/stripe-authorizations", statements)

    assert len(response.json["data"]) == 5
    assert len(statements) <= 3, statements


def test_linking_costs_twelve_statements(client, owner, event, make, stripe, statements):
    make.platform(stripe)
    caller, code = client.as_(owner), stripe.code()
    link = caller.post("/v1/stripe-authorizations", link_document(make.event(owner), stripe.code()))
    statements.clear()

    response = caller.post("/v1/stripe-authorizations", link_document(event, code))

    assert (link.status_code, response.status_code) == (201, 201)
    assert len(statements) <= 12, "\n\n".join(statements)
