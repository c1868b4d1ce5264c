"""The guides in `docs/` work: their commands and scripts are run as they stand."""

import json
import os
import re
import subprocess

import pytest
import requests
from playwright.sync_api import sync_playwright

from app.extensions import db
from config import ROOT
from tests.browser import CHROMIUM_OPTIONS
from tests.callers import Client, link_document
from tests.clients.certificates import make_self_signed
from tests.conftest import make_app
from tests.factories import Factory
from tests.guides import blocks, install_tools, run_guide
from tests.processes import SECRETS, run_manage

pytestmark = pytest.mark.timeout(300)  # each command is a process of its own
DOCS = ROOT / "docs"
KEYS = ("client-id", "publishable-key", "secret-key", "webhook-secret")


@pytest.fixture(name="environ_of_service")
def _environ_of_service(migrated_postgres_url, local_stripe):
    return {
        "DATABASE_URL": migrated_postgres_url,
        "METRICS_TOKEN": "scraped-with-this",
        **local_stripe.environment,
    }


def platform_keys(settings: dict[str, str]) -> dict[str, str]:
    """Return the platform's keys under the names that the guide gives them."""
    modes = {"TEST": "stripe-test-", "LIVE": "stripe-"}
    return {
        f"{mode}_{key.replace('-', '_').upper()}": settings[prefix + key]
        for mode, prefix in modes.items()
        for key in KEYS
    }


def test_stripe_is_set_up_by_its_guide(environ_of_service, local_stripe, start_service):
    service = start_service(environ_of_service, processes=1)
    keys = platform_keys(local_stripe.settings)

    told = run_guide(
        "docs/set-up-stripe.md",
        {**environ_of_service, **keys, "ADMIN_PASSWORD": "correct horse battery"},
        service=service.url,
    )

    shown = requests.get(f"{service.url}/v1/settings", timeout=10).json()["data"]["attributes"]
    assert shown["stripe-mode"] == "production"
    assert shown["is-stripe-activated"] is True
    assert "failed" not in told
    for name, value in keys.items():
        assert ("SECRET" in name) <= (value not in told)


def test_the_guide_asks_stripe_for_the_events_that_are_understood():
    from app.api.webhooks import COUNTED

    text = (DOCS / "set-up-stripe.md").read_text()

    assert set(re.findall(r"`((?:account|payment_intent)\.[a-z_.]+)`", text)) == COUNTED


def test_a_frontend_is_integrated_by_its_guide(demo, chromium_path):
    told = run_guide(
        "docs/integrate-a-frontend.md",
        {},
        service=demo.url,
        stripe=f"http://127.0.0.1:{demo.stripe_port}",
    )

    assert re.search(r"^pk_test_\w+$", told, re.MULTILINE)
    assert '"code": "already-linked"' in told
    script = "\n".join(blocks("docs/integrate-a-frontend.md", "js"))
    found = _run_script(script.replace("http://127.0.0.1:5000", demo.url), demo.url, chromium_path)
    assert found["key"].startswith("pk_test_")
    assert found["events"] == ["Demo Summit"]
    assert found["started"].startswith(f"http://127.0.0.1:{demo.stripe_port}/oauth/authorize?")
    assert found["refused"] == {
        "action": "reload",
        "text": found["refused"]["text"],
    }
    assert found["nobody"] == {"action": "sign-in"}


@pytest.fixture(name="connected")
def _connected(environ_of_service, local_stripe, start_service):
    """A service whose event 1 is connected to an account at the local Stripe."""
    app = make_app(environ_of_service["DATABASE_URL"], **SECRETS, **local_stripe.environment)
    with app.app_context():
        make = Factory()
        make.platform(local_stripe)
        owner = make.user()
        event = make.event(owner)
        code = local_stripe.control("codes", {})["code"]
        linked = (
            Client(app).as_(owner).post("/v1/stripe-authorizations", link_document(event, code))
        )
        assert linked.status_code == 201, linked.text
        db.session.remove()
        db.engine.dispose()
    service = start_service(environ_of_service, processes=1)
    local_stripe.control("webhooks", {"url": f"{service.url}/stripe/webhooks"})
    return service


def test_tickets_are_charged_for_by_their_guide(connected, environ_of_service, local_stripe):
    told = run_guide(
        "docs/charging.md", environ_of_service, service=connected.url, stripe=local_stripe.url
    )

    lines = told.splitlines()
    assert '"status": "requires_payment_method"' in told
    assert lines.count("succeeded") == 2  # said by Stripe, and by us
    assert lines[-1] == "canceled"
    paid = told[told.index("[") : told.index("]") + 1]
    assert json.loads(paid) == [
        {"idempotency-key": "order-1001", "amount": 4200, "currency": "EUR"}
    ]
    (python,) = blocks("docs/charging.md", "python")
    names = {}
    exec(python, names)
    token = json.loads(
        run_manage(
            "tokens", "create", "python", "--scope", "payments", env=environ_of_service
        ).stdout
    )["token"]
    order = {"id": 2001, "total": 1500, "currency": "EUR"}
    first = names["create_payment"](connected.url, token, order, "1")
    local_stripe.control("faults", {"fault": "500-after", "times": 1})
    again = names["create_payment"](connected.url, token, order, "1")
    other = names["create_payment"](connected.url, token, {**order, "id": 2002}, "1")
    assert first["client-secret"] == again["client-secret"]
    assert other["stripe-payment-intent-id"] != first["stripe-payment-intent-id"]
    with pytest.raises(ValueError, match="idempotency-conflict"):
        names["create_payment"](connected.url, token, {**order, "total": 1}, "1")


def test_the_service_is_operated_by_its_guide(
    connected, environ_of_service, postgres_server, tmp_path
):
    for name in ("app", "migrations", "config.py", "config_checks.py", "config_machine.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    restored = postgres_server.create_database()

    told = run_guide(
        "docs/operate.md",
        {**environ_of_service, "RESTORED_URL": restored},
        service=connected.url,
        cwd=tmp_path,
    )

    assert (tmp_path / "backup.dump").stat().st_size > 10_000
    assert '"problems": []' in told
    assert told.count('"unreadable": 0') == 2
    assert "Re-encrypted: " in told
    assert "stripe_linking_build_info{" in told


def test_nginx_takes_the_configuration_of_the_guide(tmp_path):
    (server,) = blocks("docs/operate.md", "nginx")
    make_self_signed(tmp_path)
    for name, ours in (("fullchain", "certificate"), ("privkey", "key")):
        server = re.sub(rf"/etc/letsencrypt\S+/{name}\.pem", f"{tmp_path}/{ours}.pem", server)
    server = server.replace("/var/log/nginx/", f"{tmp_path}/")
    file = tmp_path / "nginx.conf"
    file.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{server}\n}}\n")
    install_tools("nginx")

    done = subprocess.run(
        ["nginx", "-t", "-q", "-e", "stderr", "-c", file],
        env={"PATH": f"{os.defpath}:/usr/sbin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


TRIED = """
await refresh();
const names = [];
for await (const event of allEvents()) names.push(event.attributes.name);
const started = await startConnecting("1");
const failure = await linkAccount("1", "ac_made_up", started.state).catch((error) => error);
const nobody = await call("GET", "/v1/users/me").catch((error) => error);
return {
  key: await stripeKey("1"),
  events: names,
  started: started["authorize-url"],
  refused: explain(failure),
  nobody: explain(nobody),
};
"""


def _run_script(script, url, chromium_path):
    """Run *script*, and what its functions are tried with, in a page of the service's origin."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=list(CHROMIUM_OPTIONS)
        )
        page = browser.new_page()
        page.goto(f"{url}/docs")
        found = page.evaluate(f"async () => {{ {script}\n{TRIED} }}")
        browser.close()
    return found


def test_the_page_for_people_works_under_its_own_policy(demo, chromium_path):
    said = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=list(CHROMIUM_OPTIONS)
        )
        page = browser.new_page()
        page.on("console", lambda message: said.append((message.type, message.text)))
        page.on("pageerror", lambda error: said.append(("error", str(error))))
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{demo.url}/docs#/payment-intents/post-v1-payment-intents")
        page.get_by_text("idempotency-conflict").first.wait_for(timeout=100_000)
        browser.close()

    assert [text for kind, text in said if kind in ("error", "warning")] == []
    assert {
        url.partition("/docs")[0].partition("/openapi")[0] for url in asked if "data:" not in url
    } == {demo.url}


def links(path):
    return re.findall(r"\]\(([^)\s]+)\)", path.read_text())


def anchors(text):
    """Return the anchors of a document's headings, as hosting sites make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return set(plain)


PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_of_a_page_leads_somewhere(path):
    for link in links(path):
        if re.match(r"https?:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


def test_every_page_is_in_the_index():
    index = (DOCS / "README.md").read_text()

    for path in DOCS.glob("*.md"):
        assert path.name == "README.md" or f"({path.name})" in index, path.name


def test_a_json_block_is_json():
    for path in PAGES:
        for block in blocks(str(path.relative_to(ROOT)), "json"):
            json.loads(block)
