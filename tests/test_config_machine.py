"""What the configuration takes from the machine: `.env`, generated secrets, processors."""

import os

import pytest
from sqlalchemy import make_url

import config
from config import ConfigError, load_config
from config_machine import usable_processors


@pytest.fixture(name="instance", autouse=True)
def _instance(tmp_path, monkeypatch):
    """A checkout whose path holds everything that URLs and templates treat specially."""
    root = tmp_path / "100% a?b #c"
    root.mkdir()
    monkeypatch.setattr(config, "ROOT", root)
    monkeypatch.setattr(config, "INSTANCE", root / "instance")
    return root / "instance"


@pytest.fixture(name="dotenv")
def _dotenv(instance, monkeypatch):
    """Returns a function that writes `.env`; no name of ours is in the environment."""
    for name in config.NAMES:
        monkeypatch.delenv(name, raising=False)
    return (instance.parent / ".env").write_bytes


def test_secrets_are_made_once_for_the_owner_alone(instance):
    first, second = load_config({}), load_config({})

    assert first == second
    assert len(first.secret_key) >= 32
    for name in ("secret_key", "encryption_key"):
        assert (instance / name).stat().st_mode & 0o777 == 0o600
    assert instance.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["secret_key", "encryption_key"])
def test_a_secret_that_others_could_read_becomes_private(instance, name):
    before = load_config({})
    (instance / name).chmod(0o644)

    assert load_config({}) == before
    assert (instance / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "name, text, fault",
    [
        ("secret_key", b"", "shorter than a secret"),
        ("secret_key", b"\xff\xfe" * 20, "holds no secret"),
        ("encryption_key", b"hush" * 11, "holds no key"),
    ],
)
def test_a_kept_secret_that_is_none_is_a_fault(instance, name, text, fault):
    load_config({})
    (instance / name).write_bytes(text)

    with pytest.raises(ConfigError, match=f"instance/{name}: {fault}") as caught:
        load_config({})

    assert "hush" not in str(caught.value)


def test_a_folder_for_secrets_that_cannot_be_made_is_a_fault(instance):
    instance.write_text("a file")

    with pytest.raises(ConfigError, match=r"instance/: cannot be made"):
        load_config({})


def test_the_default_database_is_in_the_folder_whatever_its_path(instance):
    assert make_url(load_config({}).database_url).database == str(instance / "app.db")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_settings_are_read_from_the_file(dotenv, encoding):
    dotenv("PORT=8080\n# größer\nHOST=::1".encode(encoding))

    assert load_config().bind == "[::1]:8080"


def test_the_environment_overrides_the_file(dotenv, monkeypatch):
    dotenv(b"PORT=8080")
    monkeypatch.setenv("PORT", "9090")

    assert load_config().port == 9090


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_file_in_another_encoding_is_a_fault(dotenv, encoding):
    dotenv("SECRET_KEY=hush\n# größer".encode(encoding))

    with pytest.raises(ConfigError, match=r"\.env: not UTF-8") as caught:
        load_config()

    assert "hush" not in str(caught.value)


def test_a_file_that_is_a_folder_is_a_fault(instance):
    (instance.parent / ".env").mkdir()

    with pytest.raises(ConfigError, match=r"\.env: cannot be read"):
        load_config()


@pytest.fixture(name="machine")
def _machine(tmp_path, monkeypatch):
    """Returns a function that writes a file of `/proc` or `/sys` of a machine with 8 processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    return write


@pytest.mark.parametrize(
    "files, processors",
    [
        ({}, 8),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        ({"sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"sys/fs/cgroup/cpu.max": "250000 100000\n"}, 3),
        ({"sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "1600000 100000\n"}, 8),
        ({"sys/fs/cgroup/a/b/cpu.max": "300000 100000"}, 3),
        ({"sys/fs/cgroup/a/cpu.max": "100000 100000", "sys/fs/cgroup/a/b/cpu.max": "max 1"}, 1),
    ],
)
def test_processors_are_bounded_by_the_quotas_of_the_control_group(
    machine, tmp_path, files, processors
):
    machine("proc/self/cgroup", "0::/a/b\n")
    for path, text in files.items():
        machine(path, text)

    assert usable_processors(tmp_path) == processors


@pytest.mark.parametrize("quota, processors", [("-1", 8), ("400000", 4)])
@pytest.mark.parametrize("folder", ["sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu/docker/1"])
def test_the_older_control_groups_count_too(machine, tmp_path, folder, quota, processors):
    machine("proc/self/cgroup", "5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n")
    machine(f"{folder}/cpu.cfs_quota_us", quota)
    machine(f"{folder}/cpu.cfs_period_us", "100000")

    assert usable_processors(tmp_path) == processors


def test_the_processors_that_we_may_use_are_the_default_number_of_processes():
    assert load_config({}).web_concurrency == usable_processors()
