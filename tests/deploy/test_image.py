"""The image: what goes into it, and that its commands need nothing more."""

import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests
import yaml

from tests.deploy.image import USER, Container
from tests.processes import ROOT, SECRETS

PRODUCTION = {
    "APP_ENV": "production",
    "METRICS_TOKEN": "a-token-for-metrics",
    "WEB_CONCURRENCY": "2",
}
MIGRATE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["migrate"]["command"]


@pytest.fixture(name="container")
def _container():
    with Container() as container:
        yield container


def files_of(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*")}


def test_the_dockerfile_has_nothing_that_its_linter_minds():
    linter = Path(sys.executable).with_name("hadolint")

    result = subprocess.run(
        [linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60
    )

    assert (result.returncode, result.stdout) == (0, "")


def test_an_unprivileged_user_migrates_and_serves_from_a_tree_nobody_can_write_to(
    container, postgres_url
):
    before = files_of(container.cwd)
    env = {**PRODUCTION, **SECRETS, "DATABASE_URL": postgres_url}
    container.start(MIGRATE, env)
    assert container.wait() == 0, container.stderr

    url = container.serve(env)

    assert requests.get(f"{url}/health/ready", timeout=10).status_code == 200
    assert requests.get(f"{url}/v1/events", timeout=10).json()["data"] == []
    assert set(psutil.Process(container.pid).uids()) == {USER}
    assert files_of(container.cwd) == before


def test_without_its_secrets_the_image_refuses_to_start(container, postgres_url):
    env = {**PRODUCTION, "SECRET_KEY": "", "JWT_SECRET_KEY": "", "ENCRYPTION_KEYS": ""}

    container.start(["gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"], env)

    assert container.wait() != 0
    assert "SECRET_KEY: not set" in container.stderr


def test_no_secret_and_no_database_goes_to_the_builder():
    ignored = (ROOT / ".dockerignore").read_text().split()

    assert "*" in ignored
    sent = {line[1:] for line in ignored if line.startswith("!")}
    assert sent == {
        "requirements.txt",
        "config*.py",
        "manage.py",
        "gunicorn.conf.py",
        "migrations",
        "app",
    }


@pytest.mark.torture
def test_the_locked_packages_install_without_a_compiler_into_an_environment_without_pip(tmp_path):
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, timeout=60)

    installed = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", venv / "bin/python", "install", "--quiet"),
            *("--no-input", "--disable-pip-version-check", "--only-binary", ":all:"),
            *("--require-hashes", "-r", "requirements.txt"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert installed.returncode == 0, installed.stderr
    assert (venv / "bin/gunicorn").exists()
    assert not (venv / "bin/pip").exists()
