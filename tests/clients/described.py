"""What Stripe's API answers with, as far as the client reads it."""

ACCOUNT = "acct_1Some"
CREATED = {"id": ACCOUNT, "object": "account", "metadata": {"request": "7"}}
LINK = {"object": "account_link", "url": "https://connect.stripe.com/setup/s/x", "expires_at": 1}
INTENT = {
    "id": "pi_1Some",
    "object": "payment_intent",
    "status": "requires_payment_method",
    "amount": 1234,
    "currency": "eur",
    "livemode": False,
    "created": 1792000000,
    "client_secret": "pi_1Some_secret_CANARY",
    "metadata": {"payment": "9"},
}


def page(*items: object, has_more: bool = False) -> dict[str, object]:
    return {"object": "list", "data": list(items), "has_more": has_more}
