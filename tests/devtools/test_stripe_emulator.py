"""The program: what it prints, how it ends, that it stands on its own."""

import ast
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from app.devtools.stripe_emulator import Emulator, Options, announcement
from tests.devtools.conftest import Platform
from tests.simultaneous import until

ROOT = Path(__file__).resolve().parents[2]
SHAPES = {
    "stripe-client-id": r"ca_[A-Za-z0-9]{32}",
    "stripe-secret-key": r"sk_live_[A-Za-z0-9]{24,}",
    "stripe-publishable-key": r"pk_live_[A-Za-z0-9]{24,}",
    "stripe-test-client-id": r"ca_[A-Za-z0-9]{32}",
    "stripe-test-secret-key": r"sk_test_[A-Za-z0-9]{24,}",
    "stripe-test-publishable-key": r"pk_test_[A-Za-z0-9]{24,}",
    "stripe-webhook-secret": r"whsec_[A-Za-z0-9]{32}",
    "stripe-test-webhook-secret": r"whsec_[A-Za-z0-9]{32}",
}


@pytest.fixture
def start():
    started = []

    def run(*arguments):
        command = [sys.executable, "-m", "app.devtools.stripe_emulator", "--port", "0", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, json.loads(process.stdout.readline())

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_one_line_serves_and_ends_cleanly(start, number):
    process, printed = start()
    answer = requests.get(printed["url"] + "/v1/account", timeout=10)

    process.send_signal(number)
    rest, _ = process.communicate(timeout=20)

    assert sorted(printed) == ["accounts", "redirect_uris", "settings", "url"]
    assert answer.status_code == 401
    assert (process.returncode, rest) == (0, "")


def test_it_ends_while_somebody_still_waits_for_an_answer(start):
    process, printed = start()
    url = printed["url"]
    requests.post(url + "/_control/faults", json={"fault": "hang"}, timeout=10)
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as waiting:
        waiting.sendall(b"GET /v1/account HTTP/1.1\r\nHost: localhost\r\n\r\n")
        process.terminate()

        assert process.wait(20) == 0


def test_redirect_uris_are_taken_from_the_command_line(start):
    wanted = ["https://a.example/one", "https://b.example/two"]

    _, printed = start("--redirect-uri", wanted[0], "--redirect-uri", wanted[1])

    assert printed["redirect_uris"] == wanted


@pytest.fixture
def details():
    with Emulator() as emulator:
        yield announcement(emulator.url, emulator.stripe)


def test_the_settings_have_the_shape_of_real_keys(details):
    assert list(details["settings"]) == list(SHAPES)
    for name, shape in SHAPES.items():
        assert re.fullmatch(shape, details["settings"][name])
    assert len(set(details["settings"].values())) == len(SHAPES)


def test_three_different_accounts_or_more_can_be_chosen(details):
    accounts = details["accounts"]

    assert len({account["country"] for account in accounts}) >= 3
    assert len({account["email"] for account in accounts}) == len(accounts)
    assert {account["charges_enabled"] for account in accounts} == {True, False}
    assert all(re.fullmatch(r"acct_[A-Za-z0-9]{16}", account["id"]) for account in accounts)


def test_keys_and_accounts_survive_a_restart_but_codes_do_not_repeat():
    def start_and_mint(seed):
        with Emulator(Options(seed=seed)) as emulator:
            client = emulator.app.test_client()
            code = client.post("/_control/codes", json={}).get_json()["code"]
            return {**announcement("", emulator.stripe)}, code

    first, first_code = start_and_mint("a")
    second, second_code = start_and_mint("a")
    other, _ = start_and_mint("b")

    assert first == second
    assert first_code != second_code
    assert not set(first["settings"].values()) & set(other["settings"].values())


def test_with_a_state_file_connections_survive_a_restart(tmp_path):
    options = Options(state_file=str(tmp_path / "stripe.json"))
    with Emulator(options) as emulator:
        first = Platform(emulator)
        grant = first.exchange(first.code()).json()
        made = first.control(
            "accounts", {"email": "a@example.org", "country": "AT", "display_name": "A"}
        )
        first.exchange(first.code(account=made["id"]))
    with Emulator(options) as emulator:
        second = Platform(emulator)

        assert second.is_connected()
        assert second.read_account(key=grant["access_token"]).status_code == 200
        assert second.read_account(made["id"]).json()["country"] == "AT"
        assert second.deauthorize().status_code == 200


def test_what_was_answered_survives_a_kill(start, tmp_path):
    state = str(tmp_path / "stripe.json")
    process, printed = start("--state", state)
    body = {"email": "a@example.org", "country": "AT", "display_name": "A"}
    made = requests.post(printed["url"] + "/_control/accounts", json=body, timeout=10).json()
    process.kill()
    process.wait(20)

    _, again = start("--state", state)

    assert made["id"] in [each["id"] for each in again["accounts"]]


def test_two_hundred_exchanges_wait_side_by_side():
    with Emulator() as emulator:
        mint = {"count": 200}
        codes = requests.post(emulator.url + "/_control/codes", json=mint, timeout=10).json()
        requests.post(
            emulator.url + "/_control/faults", json={"fault": "slow", "seconds": 60}, timeout=10
        )
        statuses, threads = exchange_all(emulator, codes["codes"])
        until(lambda: len(emulator.stripe.requests.entries()) == 200, 60)
        requests.post(emulator.url + "/_control/faults", json={"fault": None}, timeout=10)
        for thread in threads:
            thread.join(30)

    assert statuses == [200] * 200


def exchange_all(emulator, codes):
    key = emulator.stripe.application(False).secret_key
    statuses = []

    def exchange(code):
        data = {"grant_type": "authorization_code", "code": code, "client_secret": key}
        response = requests.post(emulator.url + "/oauth/token", data, timeout=60)
        statuses.append(response.status_code)

    threads = [threading.Thread(target=exchange, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    return statuses, threads


def sources():
    folder = ROOT / "app" / "devtools"
    return [folder / "stripe_emulator.py", *sorted((folder / "local_stripe").glob("*.py"))]


def imported(source):
    """(dots, module) of every import in *source*."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""
        elif isinstance(node, ast.Import):
            yield from ((0, name.name) for name in node.names)


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_it_imports_nothing_from_the_rest_of_the_service(source):
    for dots, module in imported(source):
        top = module.split(".")[0]
        is_own = dots == 1
        assert dots <= 1
        assert is_own or top in sys.stdlib_module_names | {
            "flask",
            "requests",
            "stripe",
            "werkzeug",
        }


def test_nothing_in_the_service_imports_it_at_start():
    program = (
        "import sys, app; "
        "sys.exit(any(name.startswith('app.devtools.local_stripe') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60).returncode == 0
