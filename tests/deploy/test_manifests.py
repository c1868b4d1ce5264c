"""Compose file, manifests and units are what their own programs take."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from config import ROOT

DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
MANIFESTS = sorted(
    path for path in DEPLOY.glob("kubernetes/*/*.yaml") if path.name != "kustomization.yaml"
)
KUSTOMIZATIONS = sorted(DEPLOY.glob("kubernetes/*/kustomization.yaml"))
SERVER = {"app.kubernetes.io/name": "stripe-linking", "app.kubernetes.io/component": "server"}


def run(*command) -> str:
    """Return what *command* says; fail with it unless it ends well."""
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def manifest(name: str) -> dict:
    return yaml.safe_load((DEPLOY / "kubernetes/base" / name).read_text())


def test_the_compose_file_follows_composes_schema():
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_every_instance_of_the_compose_file_waits_for_the_migrations():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]

    for name in ("first", "second", "reconcile"):
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"


def test_no_secret_of_the_compose_file_has_a_default():
    text = (ROOT / "compose.yaml").read_text()

    for name in ("POSTGRES_PASSWORD", "SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEYS"):
        assert f"${{{name}:?" in text
        assert f"{name}=\n" in (DEPLOY / "compose/env.example").read_text()


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_manifest_follows_kubernetes_schema(path):
    run(BIN / "kubernetes-validate", "--strict", path)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_a_kustomization_names_every_file_beside_it(path):
    content = yaml.safe_load(path.read_text())
    patches = [each["path"] for each in content.get("patches", [])]

    named = {name for name in [*content["resources"], *patches] if name.endswith(".yaml")}

    assert named == {each.name for each in path.parent.glob("*.yaml")} - {path.name}


def test_the_service_sends_requests_to_the_servers_alone():
    assert manifest("service.yaml")["spec"]["selector"] == SERVER
    assert manifest("deployment.yaml")["spec"]["template"]["metadata"]["labels"] == SERVER
    for name in ("migrate.yaml", "reconcile.yaml"):
        assert "component: server" not in (DEPLOY / "kubernetes/base" / name).read_text()


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("kubernetes/base/*.yaml")))
def test_secrets_come_to_kubernetes_by_reference_alone(path):
    text = path.read_text()

    assert "kind: Secret" not in text
    if "containers:" in text:
        assert "secretRef" in text


def test_systemd_takes_every_unit(tmp_path):
    units = []
    for unit in sorted(DEPLOY.glob("systemd/*.*")):
        here = unit.read_text().replace("/opt/stripe-linking", str(ROOT))
        units.append(tmp_path / unit.name)
        units[-1].write_text(here)

    said = run("systemd-analyze", "verify", "--man=no", *units)

    assert len(units) == 3
    assert said == ""
