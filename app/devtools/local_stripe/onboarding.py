"""The state of onboarding: account links, and the visits that fill them in.

A link is good for minutes and for one visit; the visit itself may take as long as a person needs.
"""

from dataclasses import dataclass

from .identifiers import mint
from .ledger import Account

LINK_LIFETIME = 300
VISIT_LIFETIME = 3600


@dataclass
class AccountLink:
    """A bearer URL: anyone who has it may fill in the account's details, once."""

    token: str
    account: Account
    return_url: str
    refresh_url: str
    created: float
    is_used: bool = False

    def is_good(self, now: float) -> bool:
        """Whether a visit may begin."""
        return not self.is_used and now - self.created <= LINK_LIFETIME


@dataclass
class Visit:
    """One person at the form."""

    token: str
    link: AccountLink
    began: float


class Onboarding:
    """The links and visits; the caller holds the ledger's lock."""

    def __init__(self) -> None:
        self._links: dict[str, AccountLink] = {}
        self._visits: dict[str, Visit] = {}

    def issue(self, account: Account, return_url: str, refresh_url: str, now: float) -> AccountLink:
        """Return a fresh link."""
        link = AccountLink(mint("", 24), account, return_url, refresh_url, now)
        self._links[link.token] = link
        return link

    def link(self, account_id: str, token: str) -> AccountLink | None:
        """Return the link of this URL, valid or not."""
        link = self._links.get(token)
        return link if link is not None and link.account.id == account_id else None

    def begin(self, link: AccountLink, now: float) -> Visit:
        """Use the link up and begin a visit."""
        link.is_used = True
        visit = Visit(mint("", 24), link, now)
        self._visits[visit.token] = visit
        return visit

    def visit(self, token: str) -> Visit | None:
        """Return the visit of this URL, ended or not."""
        return self._visits.get(token)

    def end(self, visit: Visit) -> None:
        """End a visit; a form that is submitted twice leads to the refresh URL the second time."""
        visit.began = -VISIT_LIFETIME * 2.0

    def is_open(self, visit: Visit, now: float) -> bool:
        """Return whether the form may still be filled in."""
        return now - visit.began <= VISIT_LIFETIME

    def forget(self) -> None:
        """Drop everything."""
        self._links.clear()
        self._visits.clear()
