"""A link as every instance shows it, and what its account's owner can do about it at Stripe."""

import http.client
from urllib.parse import urlencode, urlsplit

from tests.torture.world import LINKS, World


class ShownLink:
    """A new event of the owner's, linked to an account of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        (self.account,) = world.accounts(1)
        (event,) = world.events(1)
        answer = world.link(event, world.code(self.account))
        self.path = f"{LINKS}/{answer.json['data']['id']}"

    def statuses(self) -> list[str | int]:
        """The account's status at each instance; the answer's where there is no link to see."""
        answers = [self.world.ask("GET", self.path) for _ in self.world.services]
        return [
            each.json["data"]["attributes"]["account-status"] if each.status == 200 else each.status
            for each in answers
        ]

    def press(self, action: str) -> None:
        """Send a form of Stripe's dashboard, as the owner does in a browser."""
        client_id = self.world.stripe.settings["stripe-test-client-id"]
        form = urlencode({"account": self.account, "client_id": client_id})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        connection = http.client.HTTPConnection(urlsplit(self.world.stripe.url).netloc, timeout=10)
        connection.request("POST", f"/dashboard/{action}", form, kind)
        assert connection.getresponse().status == 303
        connection.close()
