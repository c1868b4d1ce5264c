"""
Payment intents on connected accounts: direct charges (https://docs.stripe.com/api/payment_intents).

The platform's key with `Stripe-Account`, so money and fees are the account's.
"""

from collections.abc import Mapping
from datetime import datetime

from app.clients.stripe.accounts import require_account_id
from app.clients.stripe.api_answers import judge_intent, judge_intents, require_intent_id
from app.clients.stripe.calls import PAGE_LIMIT, Calls, page_query
from app.clients.stripe.values import ListPage, PaymentIntent


def payment_intent_form(
    amount: int,
    currency: str,
    *,
    metadata: Mapping[str, str],
    description: str | None = None,
    application_fee_amount: int = 0,
) -> dict[str, str]:
    """
    Return the form that creates a payment intent; amounts are integers in minor units.

    A fee of 0 is left out, because Stripe wants a positive one.
    """
    form = {
        "amount": f"{amount:d}",
        "currency": currency.lower(),
        "automatic_payment_methods[enabled]": "true",
    }
    if description is not None:
        form["description"] = description
    if application_fee_amount:
        form["application_fee_amount"] = f"{application_fee_amount:d}"
    return form | {f"metadata[{name}]": value for name, value in metadata.items()}


class Payments(Calls):
    """
    Creates, reads and cancels payment intents.

    Each call raises AccountNotConnected (403 `account_invalid`), StripeRejectedPlatform or
    KeyLacksPermission (401, another 403), StripeRefused (400, 402, 404: what was asked for was not
    done, in Stripe's words), StripeUnreachable or StripeBusy (nothing was sent); after SavedFault,
    StripeUnreadable and StripeTimeout it is open whether it was done.
    """

    def create_payment_intent(
        self,
        form: Mapping[str, str],
        *,
        account_id: str,
        secret_key: str,
        livemode: bool,
        idempotency_key: str,
    ) -> PaymentIntent:
        """
        Create a payment intent from a `payment_intent_form`; the caller holds a place (`reserve`).

        The same form, account and key within 24 hours bring the same intent.
        """
        answer = self._ask_api(
            "POST",
            "/v1/payment_intents",
            secret_key=secret_key,
            form=form,
            headers={**_on(account_id), "Idempotency-Key": idempotency_key},
        )
        hide = (secret_key, idempotency_key)
        return judge_intent(answer, account_id, livemode=livemode, hide=hide)

    def read_payment_intent(
        self,
        intent_id: str,
        *,
        account_id: str,
        secret_key: str,
        livemode: bool,
        timeout: float | None = None,
    ) -> PaymentIntent:
        """Return the payment intent as it is now; acquires its own place."""
        path = f"/v1/payment_intents/{require_intent_id(intent_id)}"
        with self.reserve():
            answer = self._ask_api(
                "GET", path, secret_key=secret_key, headers=_on(account_id), timeout=timeout
            )
        return judge_intent(answer, account_id, livemode=livemode, hide=(secret_key,))

    def confirm_payment_intent(
        self,
        intent_id: str,
        *,
        payment_method: str,
        return_url: str,
        account_id: str,
        secret_key: str,
        livemode: bool,
    ) -> PaymentIntent:
        """Pay the payment intent with *payment_method* and return it; acquires its own place."""
        path = f"/v1/payment_intents/{require_intent_id(intent_id)}/confirm"
        form = {"payment_method": payment_method, "return_url": return_url}
        with self.reserve():
            answer = self._ask_api(
                "POST", path, secret_key=secret_key, form=form, headers=_on(account_id)
            )
        return judge_intent(answer, account_id, livemode=livemode, hide=(secret_key,))

    def cancel_payment_intent(
        self, intent_id: str, *, account_id: str, secret_key: str, livemode: bool
    ) -> PaymentIntent:
        """
        Cancel the payment intent and return it; acquires its own place.

        StripeRefused where it cannot be canceled (any more), so also where it is canceled.
        """
        path = f"/v1/payment_intents/{require_intent_id(intent_id)}/cancel"
        with self.reserve():
            answer = self._ask_api(
                "POST", path, secret_key=secret_key, form={}, headers=_on(account_id)
            )
        return judge_intent(answer, account_id, livemode=livemode, hide=(secret_key,))

    def list_payment_intents(
        self, *, account_id: str, secret_key: str, since: datetime, cursor: str | None = None
    ) -> ListPage[PaymentIntent]:
        """Return a page of the intents created since then; acquires its own place."""
        with self.reserve():
            answer = self._ask_api(
                "GET",
                "/v1/payment_intents",
                secret_key=secret_key,
                query=page_query(since, cursor),
                headers=_on(account_id),
                limit=PAGE_LIMIT,
            )
        return judge_intents(answer, account_id, hide=(secret_key,))


def _on(account_id: str) -> dict[str, str]:
    return {"Stripe-Account": require_account_id(account_id)}
