"""Finds, or installs, the browser for tests that look at pages as a person does."""

import subprocess
from functools import cache

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

from tests.processes import ROOT

# For a machine without a sandbox for it, without a screen, and without a way out: else it tries
# to reach its maker's hosts at every start.
CHROMIUM_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@cache
def chromium() -> str:
    """The path of Chromium; Debian's is installed where there is none. Raises if that fails."""
    done = subprocess.run(
        ["sh", ROOT / "scripts" / "install-chromium.sh"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
    )
    if done.returncode:
        raise RuntimeError("There is no Chromium for the browser tests; see above.")
    return done.stdout.strip()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Chromium's path. The first test that asks may wait for its installation."""
    return chromium()


class Visitor:
    """Somebody at the console in a browser of their own. What must never happen is written down."""

    def __init__(self, context: BrowserContext, base: str, others: tuple[str, ...] = ()) -> None:
        self.context, self.base = context, base
        self.problems: list[str] = []
        self._known = (base, *others)
        context.set_default_timeout(30_000)
        context.on("request", self._check_request)
        context.on("console", self._check_message)
        context.on("weberror", lambda error: self.problems.append(str(error.error)))
        self.page = context.new_page()

    def sign_in(self, email: str, password: str) -> "Visitor":
        """Sign in at the console."""
        self.page.goto(f"{self.base}/sign-in")
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/events")
        return self

    def create_event(self, name: str, page: Page | None = None) -> str:
        """Create an event that is published; returns its page's address."""
        page = page or self.page
        page.goto(f"{self.base}/events/new")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Time zone").select_option("Europe/Berlin")
        page.get_by_label("Start").fill("2027-05-01T10:00")
        page.get_by_label("End").fill("2027-05-01T18:00")
        page.get_by_label("Currency").select_option("EUR")
        page.get_by_label("Published").check()
        page.get_by_role("button", name="Create event").click()
        page.get_by_role("heading", name=name).wait_for()
        return page.url

    def _check_request(self, request: Request) -> None:
        if not request.url.startswith((*self._known, "data:")):
            self.problems.append(f"asked {request.url}")

    def _check_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)
