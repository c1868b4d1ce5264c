"""The platform's keys as tests give and read them."""

from sqlalchemy import text

from app.db.transactions import transaction

PUBLIC = [
    "stripe-client-id",
    "stripe-publishable-key",
    "stripe-test-client-id",
    "stripe-test-publishable-key",
]
SECRET = [
    "stripe-secret-key",
    "stripe-test-secret-key",
    "stripe-webhook-secret",
    "stripe-test-webhook-secret",
]
# One good value for each key; no two end alike.
GOOD = {
    "stripe-client-id": "ca_CANARYclientlive1",
    "stripe-publishable-key": "pk_live_CANARYpublishable1",
    "stripe-test-client-id": "ca_CANARYclienttest2",
    "stripe-test-publishable-key": "pk_test_CANARYpublishable2",
    "stripe-secret-key": "sk_live_CANARYsecretliveAAA1",
    "stripe-test-secret-key": "sk_test_CANARYsecrettestBBB2",
    "stripe-webhook-secret": "whsec_CANARYwebhookliveCCC3",
    "stripe-test-webhook-secret": "whsec_CANARYwebhooktestDDD4",
}
MASKS = {
    "stripe-secret-key": "sk_live_…AAA1",
    "stripe-test-secret-key": "sk_test_…BBB2",
    "stripe-webhook-secret": "whsec_…CCC3",
    "stripe-test-webhook-secret": "whsec_…DDD4",
}


def change(caller, attributes, path="/v1/settings"):
    return caller.patch(path, settings_document(attributes))


def settings_document(attributes):
    return {"data": {"type": "setting", "id": "1", "attributes": attributes}}


def move(source, target):
    """Copy the ciphertext of one column into another, as somebody with the database could."""
    with transaction() as session:
        session.execute(text(f"UPDATE settings SET {target} = {source}"))
