"""The files around the code keep their promises: names, locks, targets, hooks."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config import NAMES
from tests.processes import environment

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
LOCKS = ["requirements", "requirements-dev", "requirements-postgres"]


def run(*command, cwd=ROOT, **options):
    options = {"capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([str(part) for part in command], cwd=cwd, **options)


def locked(name):
    """Package → version in a lock file, names as the index normalizes them."""
    text = (ROOT / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def wanted(name):
    text = (ROOT / f"{name}.in").read_text()
    found = re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, re.MULTILINE)
    return {_normal(package): version for package, version in found}


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_bare_make_lists_every_target_with_one_line():
    phony = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())

    lines = run("make", "--no-print-directory").stdout.splitlines()

    assert {line.split()[1] for line in lines} == phony
    assert all(len(line.split()) > 2 for line in lines)


@pytest.mark.parametrize(
    "target", ["run", "test", "lint", "check", "bench", "torture", "lock", "migration", "clean"]
)
def test_the_promised_targets_exist(target):
    assert re.search(rf"^{target}:.*## \S", MAKEFILE, re.MULTILINE)


def test_a_migration_without_a_message_is_refused():
    done = run("make", "--no-print-directory", "-o", ".venv/.filled-dev", "migration", "m=")

    assert done.returncode != 0
    assert 'make migration m="' in done.stderr


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([], "0001_add_x_to_y"),
        (["0001_a.py", "0012_b.py", "README.md", "9_c.py"], "0013_add_x_to_y"),
    ],
)
def test_migrations_are_numbered_on(tmp_path, present, expected):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "migrations/versions").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/next-migration.sh", tmp_path / "scripts")
    for name in present:
        (tmp_path / "migrations/versions" / name).touch()

    done = run("sh", tmp_path / "scripts/next-migration.sh", " Add x, to “Y”!")

    assert done.stdout.strip() == expected


@pytest.fixture(name="unpacked")
def _unpacked(tmp_path):
    """A copy without file modes, in a folder whose name URLs and templates treat specially."""
    copy = tmp_path / "100% a?b #c"
    ignored = shutil.ignore_patterns(".venv", "instance", ".git", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored, copy_function=shutil.copyfile)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


MORE_MODEL = """

class Color(Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    a_name_of_which_nobody_would_say_that_it_is_short: Mapped[datetime] = mapped_column(UTCDateTime)
"""


def test_a_migration_is_made_and_formatted_in_any_folder(unpacked):
    env = {**environment({"APP_ENV": "development"}), "PYTHONPATH": ""}
    with (unpacked / "app/models/user.py").open("a") as model:
        model.write(MORE_MODEL)
    upgrade = [unpacked / ".venv/bin/python", unpacked / "manage.py", "db", "upgrade"]
    make = ["make", "-o", ".venv/.filled-dev", "migration", "m=Add colors"]

    done = [run(*upgrade, cwd="/", env=env), run(*make, cwd=unpacked, env=env)]
    done.append(run(*upgrade, cwd=unpacked, env=env))
    assert [each.stderr for each in done if each.returncode] == []
    (made,) = unpacked.glob("migrations/versions/*_add_colors.py")
    done.append(run(ROOT / ".venv/bin/ruff", "check", made))
    done.append(run(ROOT / ".venv/bin/ruff", "format", "--check", made))
    assert [each.stdout for each in done if each.returncode] == []
    assert "sa.DateTime(timezone=True)" in made.read_text()
    assert (unpacked / "instance/app.db").exists()


def test_a_machine_without_a_usable_python_is_told_what_to_install():
    done = run(
        "sh", ROOT / "scripts/find-python.sh", env={**os.environ, "PYTHON": "no-such-python"}
    )

    assert done.returncode != 0
    assert "Python 3.11 or later" in done.stderr


def test_ci_runs_the_checks_and_the_tests_and_can_be_executed():
    script = ROOT / ".ci/run"

    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert lines[-2:] == ["make lint </dev/null", "make test </dev/null"]


def test_every_environment_name_is_in_the_example_with_a_comment():
    text = (ROOT / ".env.example").read_text()
    blocks = [block.splitlines() for block in text.split("\n\n") if not block.isspace()]

    named = [line for block in blocks for line in block if not line.startswith("#")]
    uncommented = [block for block in blocks if not block[0].startswith("#")]

    assert sorted(line.partition("=")[0] for line in named) == sorted(NAMES)
    assert uncommented == []


@pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEYS"])
def test_the_example_gives_no_secret_away(name):
    assert f"\n{name}=\n" in (ROOT / ".env.example").read_text()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_what_its_source_asks_for(name):
    assert wanted(name).items() <= locked(name).items()


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_a_reason(name):
    lines = (ROOT / f"{name}.in").read_text().splitlines()

    unexplained = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if "==" in line and not before.startswith("# ")
    ]

    assert unexplained == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_hashes_and_no_place(name):
    text = (ROOT / f"{name}.txt").read_text()
    entries = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)

    assert [entry for entry in entries if "--hash=sha256:" not in entry and entry] == []
    assert re.findall(r"https?:|file:|find-links|index-url|^/| /", text, re.MULTILINE) == []


def test_tests_run_with_the_versions_that_the_service_runs_with():
    assert locked("requirements").items() <= locked("requirements-dev").items()


def imported(*places):
    """The top-level names that Python files import, wherever in a file they do."""
    files = [file for place in places for file in [ROOT / place, *(ROOT / place).rglob("*.py")]]
    for file in files:
        if file.suffix == ".py" and file.exists():
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    yield from (alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    yield node.module.partition(".")[0]


@pytest.mark.parametrize(
    ("lock", "places"),
    [
        ("requirements", ["app", "migrations", "config.py", "manage.py", "gunicorn.conf.py"]),
        ("requirements-dev", ["tests", "benchmarks", "scripts"]),
    ],
)
def test_everything_imported_is_locked(lock, places):
    ours = {path.stem for path in ROOT.iterdir()}
    packages = importlib.metadata.packages_distributions()
    foreign = set(imported(*places)) - sys.stdlib_module_names - ours

    installs = {name: {_normal(n) for n in packages.get(name, [name])} for name in foreign}
    missing = {name for name, found in installs.items() if not found & locked(lock).keys()}

    assert missing == set()


def test_commits_are_checked_by_the_same_tools_as_make_lint():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()

    for tool in re.findall(r"\$\(PY\) (?:-m )?(\S+(?: (?:check|format))?)", recipe):
        assert tool in hooks


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("sk_live_" + "51Hq8ZkLw0a9b8C7d6E5f4", 1),
        ("rk_live_" + "51Hq8ZkLw0a9b8C7d6E5f4", 1),
        ("sk_live_" + "CANARY51Hq8ZkLw0a9b8C7", 0),
        ("sk_live_" + "…a1B2", 0),
        ("sk_test_" + "51Hq8ZkLw0a9b8C7d6E5f4", 0),
    ],
)
def test_a_live_key_is_refused_unless_it_says_it_is_made_up(tmp_path, key, status):
    file = tmp_path / "settings.py"
    file.write_text(f'first = 1\nkey = "{key}"\n')

    done = run(sys.executable, ROOT / "scripts/refuse_live_keys.py", file)

    assert done.returncode == status
    assert (f"{file}:2:" in done.stderr) == bool(status)
    assert key not in done.stderr
