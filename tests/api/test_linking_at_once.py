"""Simultaneous links: the database decides who may go to Stripe."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from app.extensions import db
from app.models import StripeAuthorization
from tests.callers import link_document
from tests.simultaneous import until

PATH = "/v1/stripe-authorizations"
AT_ONCE = 12


def post_at_once(client, bodies):
    """Send all bodies in the same moment; return the answers."""
    ready = threading.Barrier(len(bodies))

    def post(body):
        ready.wait()
        return client.post(PATH, body)

    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(post, bodies))
    db.session.rollback()
    return answers


def codes(answers):
    return Counter(
        each.json["errors"][0]["code"] if each.status_code >= 400 else each.status_code
        for each in answers
    )


def test_of_many_codes_for_one_event_one_links_and_no_other_is_spent(
    organizer, event, platform, stripe
):
    bodies = [link_document(event, stripe.code()) for _ in range(AT_ONCE)]

    answers = post_at_once(organizer, bodies)

    found = codes(answers)
    assert found[201] == 1
    assert found["link-in-progress"] + found["already-linked"] == AT_ONCE - 1, found
    assert len(stripe.codes_seen()) == 1
    assert db.session.query(StripeAuthorization).count() == 1


def test_one_code_many_times_goes_to_stripe_once(organizer, event, platform, stripe):
    code = stripe.code()

    answers = post_at_once(organizer, [link_document(event, code)] * AT_ONCE)

    found = codes(answers)
    assert found[201] == 1
    assert found[200] + found["link-in-progress"] == AT_ONCE - 1, found
    assert [code] == stripe.codes_seen()


def test_one_code_for_several_events_goes_to_stripe_once(organizer, make, owner, platform, stripe):
    code = stripe.code()
    events = [make.event(owner) for _ in range(AT_ONCE)]

    answers = post_at_once(organizer, [link_document(each, code) for each in events])

    found = codes(answers)
    assert found == {201: 1, "code-already-used": AT_ONCE - 1}
    assert [code] == stripe.codes_seen()


def test_many_events_link_at_once_each_with_its_own_code(organizer, make, owner, platform, stripe):
    events = [make.event(owner) for _ in range(AT_ONCE)]

    answers = post_at_once(organizer, [link_document(each, stripe.code()) for each in events])

    assert codes(answers) == {201: AT_ONCE}
    assert db.session.query(StripeAuthorization).count() == AT_ONCE


def test_no_connection_to_the_database_is_held_while_stripe_is_asked(
    app, organizer, event, platform, stripe
):
    stripe.fault("hang", on="token")
    answers = []
    poster = threading.Thread(
        target=lambda: answers.append(organizer.post(PATH, link_document(event, stripe.code())))
    )
    db.session.remove()

    poster.start()
    until(lambda: stripe.asked() != [])
    held = db.engine.pool.checkedout()
    stripe.fault(None)
    poster.join()

    assert held == 0
