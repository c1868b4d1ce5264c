"""The console in a real browser, over what `make run` starts."""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import CHROMIUM_OPTIONS, Visitor
from tests.databases import on_sqlite
from tests.live import Demo

pytestmark = on_sqlite

ORGANIZER = "organizer@example.com", "demo-organizer"
ADMIN = "admin@example.com", "demo-admin"
LONG = "Trip <script>alert(1)</script> " + "Donaudampfschifffahrt" * 4 + " مرحبا"
CONNECTED = "Stripe account connected."
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module", name="running")
def _running() -> Iterator[Demo]:
    """A demo for all tests here: each makes an event of its own."""
    with Demo() as demo:
        demo.start()
        yield demo
        demo.stop()


@pytest.fixture(scope="module", name="chromium")
def _chromium(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_OPTIONS)


@pytest.fixture(name="visit")
def _visit(running: Demo, chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """`visit()` is somebody new; whatever went wrong in a browser fails the test."""
    visitors: list[Visitor] = []
    stripe = f"http://127.0.0.1:{running.stripe_port}"

    def visit(**options: object) -> Visitor:
        visitors.append(Visitor(chromium.new_context(**options), running.url, (stripe,)))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.context.close()
        assert visitor.problems == []


def check(page: Page) -> None:
    """Nothing for axe to find, in light and dark, and no scrolling sideways on a small phone."""
    for scheme in ("light", "dark"):
        # Without motion, or a colour is looked at on its way from one scheme to the other.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    before = page.viewport_size
    page.set_viewport_size({"width": 360, "height": 700})
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360, f"{page.url} is {wide} wide"
    page.set_viewport_size(before)


def check_refusal(visitor: Visitor, status: int) -> None:
    """Check a page that tells of a refusal; the browser tells of its status, and nothing else."""
    check(visitor.page)
    (told,) = visitor.problems
    assert f"status of {status}" in told
    visitor.problems.clear()


def allow(page: Page) -> None:
    """Let the platform have the account that is offered first, at the local Stripe."""
    page.get_by_role("button", name="Connect").click()


def test_an_organizer_connects_pays_for_a_test_and_disconnects(visit, running):
    visitor = visit()
    page = visitor.page
    page.goto(running.url)
    page.get_by_label("E-mail").fill(ORGANIZER[0])
    page.get_by_label("Password").fill("a-wrong-one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("E-mail or password is wrong.")).to_be_visible()
    check_refusal(visitor, 401)
    visitor.sign_in(*ORGANIZER)
    check(page)
    page.goto(f"{running.url}/events?q=nothing")
    check(page)
    page.goto(f"{running.url}/connect/callback?code=ac_1&state=made-up")
    check_refusal(visitor, 400)
    page.goto(f"{running.url}/events")
    page.get_by_role("link", name="New event").click()
    check(page)
    address = visitor.create_event(LONG)
    check(page)

    page.get_by_role("button", name="Connect with Stripe").click()
    allow(page)
    expect(page.get_by_text(CONNECTED)).to_be_visible()
    assert page.url == address
    check(page)
    page.reload()
    page.get_by_role("button", name="Send a test payment").click()
    expect(page.get_by_text("Test payment of EUR 5.00: paid.")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("heading", name="Disconnect this account?")).to_be_visible()
    expect(page.get_by_text("1 payment was made on it in the last 90 days.")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Keep").press("Space")
    page.wait_for_url(address)
    page.get_by_role("button", name="Disconnect").click()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("Stripe account disconnected.")).to_be_visible()
    expect(page.get_by_role("button", name="Connect with Stripe")).to_be_visible()


def test_cancelling_at_stripe_changes_nothing(visit):
    visitor = visit().sign_in(*ORGANIZER)
    address = visitor.create_event("Cancelled")

    visitor.page.get_by_role("button", name="Connect with Stripe").click()
    visitor.page.get_by_role("button", name="Cancel").click()

    expect(
        visitor.page.get_by_text("You cancelled at Stripe. Nothing was changed.")
    ).to_be_visible()
    assert visitor.page.url == address


def test_an_account_serves_a_second_event(visit):
    visitor = visit().sign_in(*ORGANIZER)
    page = visitor.page
    visitor.create_event("First of two")
    page.get_by_role("button", name="Connect with Stripe").click()
    allow(page)
    visitor.create_event("Second of two")

    page.get_by_label("Use an account you have already connected").select_option(index=0)
    check(page)
    page.get_by_role("button", name="Use this account").click()

    expect(page.get_by_text(CONNECTED)).to_be_visible()


def test_two_tabs_never_mix_their_events(visit):
    visitor = visit().sign_in(*ORGANIZER)
    one, other = visitor.page, visitor.context.new_page()
    addresses = visitor.create_event("Left", one), visitor.create_event("Right", other)
    for tab in (one, other):
        tab.get_by_role("button", name="Connect with Stripe").click()

    for tab in (other, one):
        allow(tab)
        expect(tab.get_by_text(CONNECTED)).to_be_visible()

    assert (one.url, other.url) == addresses


@pytest.mark.parametrize("javascript", [True, False])
def test_a_double_click_creates_one_event(visit, running, javascript):
    name = f"Twice {'with' if javascript else 'without'} scripts"
    visitor = visit(java_script_enabled=javascript).sign_in(*ORGANIZER)
    page = visitor.page
    page.goto(f"{running.url}/events/new")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Time zone").select_option("UTC")
    page.get_by_label("Start").fill("2027-05-01T10:00")
    page.get_by_label("End").fill("2027-05-01T12:00")

    page.get_by_role("button", name="Create event").dblclick(no_wait_after=True)

    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.goto(f"{running.url}/events?q=Twice")
    expect(page.get_by_role("link", name=name)).to_have_count(1)


def test_the_keyboard_is_enough(visit, running):
    visitor = visit()
    page = visitor.page
    page.goto(f"{running.url}/sign-in")
    for _ in range(3):  # past "Skip to content" and the name of the service
        page.keyboard.press("Tab")
    page.keyboard.type(ORGANIZER[0])
    page.keyboard.press("Tab")
    page.keyboard.type(ORGANIZER[1])
    page.keyboard.press("Enter")
    page.wait_for_url("**/events")
    visitor.create_event("By keyboard")

    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Connect with Stripe":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/oauth/authorize**")


def test_without_scripts_everything_works(visit):
    visitor = visit(java_script_enabled=False).sign_in(*ORGANIZER)
    page = visitor.page
    visitor.create_event("Plain")

    page.get_by_role("button", name="Connect with Stripe").click()
    allow(page)

    expect(page.get_by_text(CONNECTED)).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_administrator_checks_the_keys_and_finds_links_deeds_and_users(visit, running):
    page = visit().sign_in(*ADMIN).page
    page.get_by_role("link", name="Settings").click()
    check(page)
    page.get_by_role("button", name="Check keys").click()
    expect(page.get_by_text("Stripe accepts it.").first).to_be_visible()
    check(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Settings saved.")).to_be_visible()
    for name in ("Links", "Audit", "Users"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        check(page)
    page.get_by_label("Find by e-mail").fill("organizer")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("button", name="Block organizer@example.com")).to_be_visible()


def test_pages_that_refuse_or_have_nothing_to_show_are_as_readable(visit, running):
    visitor = visit().sign_in(*ORGANIZER)
    page = visitor.page
    for path, status in (("/admin/settings", 403), ("/events/nothing-here", 404)):
        page.goto(f"{running.url}{path}")
        check_refusal(visitor, status)
    address = visitor.create_event("Edited")
    page.goto(f"{address}/edit")
    page.get_by_label("Name").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    check_refusal(visitor, 422)

    admin = visit().sign_in(*ADMIN).page
    for path in ("/admin/users?q=nobody-at-all", "/admin/links?state=restricted"):
        admin.goto(f"{running.url}{path}")
        check(admin)


@pytest.fixture(name="by_onboarding")
def _by_onboarding(visit, running):
    """The platform creates accounts, until the test is over."""
    page = visit().sign_in(*ADMIN).page

    def choose(way):
        page.goto(f"{running.url}/admin/settings")
        page.get_by_label(way, exact=True).check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Settings saved.")).to_be_visible()

    choose("Onboarding")
    yield
    choose("OAuth")


def test_an_onboarding_is_left_and_finished_later(visit, by_onboarding):
    visitor = visit().sign_in(*ORGANIZER)
    page = visitor.page
    address = visitor.create_event("Onboarded")

    page.get_by_role("button", name="Connect with Stripe").click()
    page.get_by_role("button", name="Leave and finish later").click()
    page.wait_for_url(address)
    check(page)
    expect(page.get_by_text("You have begun to set up an account")).to_be_visible()
    page.get_by_role("button", name="Connect with Stripe").click()
    page.get_by_role("button", name="Finish", exact=True).click()

    expect(page.get_by_text(CONNECTED)).to_be_visible()
    assert page.url == address
    check(page)
