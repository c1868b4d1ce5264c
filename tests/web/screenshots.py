"""Makes the pictures of the console in docs/screenshots, over what `make run` starts."""

from playwright.sync_api import sync_playwright

from tests.browser import CHROMIUM_OPTIONS, Visitor, chromium
from tests.live import Demo
from tests.processes import ROOT

FOLDER = ROOT / "docs" / "screenshots"
WIDE, PHONE = {"width": 1120, "height": 760}, {"width": 360, "height": 760}


def main() -> None:
    """Visit the console as an organizer and as an administrator, and keep four pictures."""
    with Demo() as demo, sync_playwright() as playwright:
        demo.start()
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_OPTIONS)
        visitor = Visitor(browser.new_context(viewport=WIDE), demo.url)
        page = visitor.sign_in("organizer@example.com", "demo-organizer").page
        page.get_by_role("link", name="Demo Summit").click()
        page.screenshot(path=FOLDER / "event.png")
        page.get_by_role("button", name="Connect with Stripe").click()
        page.get_by_role("button", name="Connect").click()
        page.get_by_role("button", name="Send a test payment").click()
        page.get_by_text("Latest payments").wait_for()
        while not page.get_by_text("✓ Active").count():
            page.wait_for_timeout(500)  # the account is read in the background
            page.reload()
        page.screenshot(path=FOLDER / "connected.png")
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="dark")
        page.screenshot(path=FOLDER / "phone.png")
        visitor = Visitor(browser.new_context(viewport=WIDE), demo.url)
        page = visitor.sign_in("admin@example.com", "demo-admin").page
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("button", name="Check keys").click()
        page.screenshot(path=FOLDER / "settings.png")
        demo.stop()


if __name__ == "__main__":
    main()
