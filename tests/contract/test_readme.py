"""The README's words are true: its commands run, its tables are complete."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.routes import ROUTES
from config import NAMES
from manage import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_in_the_readme_and_in_the_example(name):
    assert f"`{name}`" in README
    assert re.search(rf"^{name}=", (ROOT / ".env.example").read_text(), re.MULTILINE)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.addresses[0])
def test_every_route_is_in_the_readme(route):
    address = re.sub(r"<\w+>", "<id>", route.addresses[0])

    assert address in README
    assert all(method in README for method in route.rights)


@pytest.mark.parametrize("command", re.findall(r"`python manage.py ([a-z]+ [a-z-]+)", README))
def test_every_command_of_the_readme_exists(command):
    result = CliRunner().invoke(cli, [*command.split(), "--help"])

    assert result.exit_code == 0, result.output


def test_make_run_and_the_five_commands_show_the_organizers_publishable_key_every_time(demo):
    commands = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)

    assert len(commands) == 5
    script = "\necho\n".join(commands).replace("http://127.0.0.1:5000", demo.url)
    for _ in range(2):
        result = subprocess.run(
            ["bash", "-eu", "-c", script], capture_output=True, text=True, timeout=60, check=False
        )

        assert result.returncode == 0, result.stderr
        *_, linked, shown = filter(None, result.stdout.splitlines())
        key = json.loads(linked)["data"]["attributes"]["stripe-publishable-key"]
        assert key.startswith("pk_test_")
        assert key == json.loads(shown)["data"]["attributes"]["stripe-publishable-key"]
