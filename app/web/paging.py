"""Pages of long lists, by `?page=`."""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import request

from app.db.pages import Page

HIGHEST = 1_000_000


def page_number() -> int:
    """Return which page is asked for; the first where that cannot be read."""
    text = request.args.get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 1
    return min(max(number, 1), HIGHEST)


@dataclass(frozen=True)
class Pages:
    """Where *page* stands among *count* entries."""

    page: Page
    count: int

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.count // self.page.size))

    @property
    def previous(self) -> str | None:
        """The address of the page before, if there is one."""
        return self._address(min(self.page.number - 1, self.last))

    @property
    def next(self) -> str | None:
        """The address of the page after, if there is one."""
        return self._address(self.page.number + 1)

    def _address(self, number: int) -> str | None:
        if not 1 <= number <= self.last:
            return None
        return f"?{urlencode({**request.args.to_dict(), 'page': number})}"
