"""The local Stripe as tests see it. Everything goes through its control endpoints, over HTTP."""

from typing import Any

import requests

from app.devtools.stripe_emulator import Emulator


class StripeWorld:
    """Codes to be had, faults to be set, requests to be read."""

    def __init__(self, emulator: Emulator) -> None:
        self.url = emulator.url
        self.settings: dict[str, str] = emulator.stripe.settings()
        self.accounts = [account.id for account in emulator.stripe.offered_accounts()]
        self._http = requests.Session()
        self._http.trust_env = False
        self.calm()

    def code(self, account: str | None = None, *, livemode: bool = False, **grant: Any) -> str:
        """A fresh authorization code, as if somebody had allowed the platform on the page."""
        body = {"account": account or self.accounts[0], "livemode": livemode, **grant}
        return self.control("codes", body)["code"]

    def fault(self, name: str | None, **options: Any) -> None:
        """Misbehave from now on; None ends it."""
        self.control("faults", {"fault": name, **options})

    def asked(self, path: str = "/oauth/token") -> list[dict[str, Any]]:
        """What was asked of *path*, oldest first."""
        answer = self._http.get(f"{self.url}/_control/requests", timeout=10)
        return [each for each in answer.json()["requests"] if each["path"] == path]

    def codes_seen(self) -> list[str]:
        """Every code that reached Stripe, each as often as it came."""
        return [each["form"]["code"] for each in self.asked()]

    def connections(self, client_id: str | None = None) -> set[str]:
        """The accounts that are connected to the platform (default: its test application)."""
        client_id = client_id or self.settings["stripe-test-client-id"]
        answer = self._http.get(f"{self.url}/_control/state", timeout=10)
        found = answer.json()["connections"]
        return {each["account"] for each in found if each["client_id"] == client_id}

    def connect(self, account: str, *, livemode: bool = False) -> None:
        """Connect an account without any code."""
        self.control("connections", {"account": account, "livemode": livemode})

    def disconnect(self, account: str, *, livemode: bool = False) -> None:
        """Disconnect the platform, as the account's owner can at Stripe."""
        body = {"account": account, "livemode": livemode}
        answer = self._http.delete(f"{self.url}/_control/connections", json=body, timeout=30)
        assert answer.json() == {"was_connected": True}

    def other_platform(self) -> dict[str, Any]:
        """Another platform's registration in test mode: its keys and client id."""
        answer = self._http.get(f"{self.url}/_control/state", timeout=10)
        ours = self.settings["stripe-client-id"], self.settings["stripe-test-client-id"]
        return next(
            each
            for each in answer.json()["applications"]
            if each["client_id"] not in ours and not each["livemode"]
        )

    def control(self, path: str, body: dict[str, Any]) -> Any:
        """POST *body* to `/_control/<path>`."""
        answer = self._http.post(f"{self.url}/_control/{path}", json=body, timeout=30)
        assert answer.status_code < 400, answer.text
        return answer.json()

    def calm(self) -> None:
        """Be as after a start: no fault, no connection, nothing asked."""
        self.control("reset", {})
