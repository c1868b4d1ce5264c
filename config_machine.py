"""What the configuration takes from the machine: `.env`, generated secrets, folders, processors."""

import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from io import StringIO
from math import ceil
from pathlib import Path

from dotenv import dotenv_values

from config_checks import SHORTEST_SECRET


class ConfigError(Exception):
    """The environment cannot be used. The message lists every fault, one per line."""

    def __init__(self, faults: Iterable[str]) -> None:
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"The configuration cannot be used:\n{lines}\nSee .env.example.")


def read_dotenv(path: Path) -> dict[str, str]:
    """
    Return the names and values in *path*; nothing if there is no such file.

    Raises ConfigError if it cannot be read or is not UTF-8 (editors on Windows write UTF-16).
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except OSError:
        raise ConfigError([f"{path.name}: cannot be read."]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path.name}: not UTF-8; save it in that encoding."]) from None
    if "\0" in text:
        raise ConfigError([f"{path.name}: not UTF-8; save it in that encoding."])
    given = dotenv_values(stream=StringIO(text))
    return {name: value for name, value in given.items() if value is not None}


def private_folder(path: Path) -> Path:
    """Make *path*, for its owner alone, unless it is there. Raises ConfigError if it cannot be."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"{path.name}/: cannot be made ({error.strerror})."]) from None
    return path


def metrics_folder() -> str:
    """
    Return the folder in which the processes of one instance keep their counters, and name it to
    those that are started from now on.

    A server that reloads has named it already; otherwise it is new and private. One that was named
    by another process, such as the server that this one replaces, is removed by that.
    """
    prefix, named = f"metrics-{os.getpid()}-", os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    folder = named if Path(named).name.startswith(prefix) else tempfile.mkdtemp(prefix=prefix)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    return folder


def kept_secret(path: Path, fresh: str) -> str:
    """
    Return the secret kept at *path*, to which the first process that asks writes *fresh*. A file
    that others could read is made private first.

    Raises ConfigError if the file cannot be written, read or made private, or is as good as empty.
    """
    private_folder(path.parent)
    try:
        if not path.exists():
            _write_once(path, fresh)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        kept = path.read_text(encoding="ascii").strip()
    except OSError as error:
        reason = f"cannot be written, read and made private ({error.strerror})"
        raise ConfigError([f"instance/{path.name}: {reason}."]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"instance/{path.name}: holds no secret; delete it."]) from None
    if len(kept) < SHORTEST_SECRET:
        raise ConfigError([f"instance/{path.name}: shorter than a secret; delete it."])
    return kept


def _write_once(path: Path, text: str) -> None:
    """Write *text* to *path*, unless another process has just done so."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    try:
        os.link(draft, path)  # atomic, and refuses to replace what another process wrote
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def usable_processors(root: Path = Path("/")) -> int:
    """
    Return how many processors this process may use: its affinity, bounded by the quotas of its
    control group (v2 or v1) and of those above it. *root* is where `proc` and `sys` are mounted.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        allowed = os.cpu_count() or 1
    return max(1, min([allowed, *(ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quotas that apply, in processors. A file that is missing or says "max" is none."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        folder = mount / group.lstrip("/")
        for each in [folder, *folder.parents]:
            if each.is_relative_to(mount):  # a container sees its own group as the top
                yield from _quota(each)


def _quota(folder: Path) -> Iterator[float]:
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
    if not quota:
        quota = _text(folder / "cpu.cfs_quota_us").strip()
        period = _text(folder / "cpu.cfs_period_us").strip()
    if re.fullmatch(r"[1-9]\d*", quota) and re.fullmatch(r"[1-9]\d*", period):
        yield int(quota) / int(period)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
