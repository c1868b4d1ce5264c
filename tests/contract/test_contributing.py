"""What contributors and the hosted CI are told to run exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from config import ROOT

WORKFLOW = ROOT / ".github/workflows/ci.yml"
(JOB,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_workflow_follows_its_schema():
    check = Path(sys.executable).with_name("check-jsonschema")

    done = subprocess.run(
        [check, "--builtin-schema", "vendor.github-workflows", WORKFLOW],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_the_workflow_runs_the_checks_on_every_supported_python():
    commands = "\n".join(step.get("run", "") for step in JOB["steps"])

    assert JOB["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert re.findall(r"\bmake ([a-z]+)", commands) == ["lint", "test", "migrations"]


def test_contributors_are_sent_to_targets_and_files_that_exist():
    assert set(re.findall(r"\bmake ([a-z]+)(?=[ \n`])", CONTRIBUTING)) <= TARGETS
    for path in re.findall(r"`((?:app|tests|migrations|docs)/[\w./]+)`", CONTRIBUTING):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", CONTRIBUTING))
def test_a_link_for_contributors_leads_to_a_file(link):
    assert (ROOT / link).exists()
