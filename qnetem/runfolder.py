"""The folder of a run: everything that is needed to understand it, and to run it again.

Owns its name, its layout and what the launcher writes before the first instant. The journal is the
emulator's, `nodes/` the nodes', `broker/` the broker's.

    runs/<name>-<time>-<suffix>/
        topology.json   the resolved topology, seed and overrides included
        run.json        name, seed, source file, broker
        versions.json   Python, platform and packages: what the digest may depend on
        journal*        events (record/journal.py)
        logs/           emulator, zygote and one log per incarnation of a node
        nodes/          grants and payloads as received (record: full)

Rule: a run folder belongs to one run; two runs that start in the same moment get two.
"""

from __future__ import annotations

import functools
import os
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from .emulator.errors import InputError

#: The packages whose version can change a result or its speed.
PACKAGES = ("qnetem", "numpy", "qutip", "scipy", "stim", "aiomqtt", "paho-mqtt", "msgspec")
_NAME_LENGTH = 40
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def create_run_folder(runs_folder: Path, name: str) -> Path:
    """A new folder for a run of the topology `name`, absolute; its own name is safe in MQTT topics.

    Raises InputError, naming the folder, when it cannot be written.
    """
    safe = _UNSAFE.sub("-", name).strip("-.")[:_NAME_LENGTH] or "run"
    time = datetime.now(tz=UTC).astimezone().strftime("%Y%m%d-%H%M%S")
    runs = runs_folder.resolve()
    try:
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            folder = runs / f"{safe}-{time}-{os.urandom(3).hex()}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            for part in ("logs", "nodes"):
                (folder / part).mkdir()
            return folder
    except OSError as error:
        raise InputError(
            f"no run folder can be written in {runs}: {error.strerror or error}; "
            "name another one with --runs"
        ) from error


def describe_run(folder: Path, topology: dict[str, Any], facts: dict[str, Any]) -> Path:
    """Write topology.json, run.json (`facts`) and versions.json; the path of topology.json.

    Raises InputError when the disk refuses.
    """
    path = folder / "topology.json"
    try:
        _write_json(path, topology)
        _write_json(folder / "run.json", facts)
        _write_json(folder / "versions.json", versions())
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}") from error
    return path


@functools.cache  # reading the metadata of eight packages takes as long as a small run
def versions() -> dict[str, str]:
    """Python, machine and package versions; a package that is not installed is left out."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    found["machine"] = platform.machine()
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def log_tail(path: Path, lines: int = 12) -> str:
    """The end of a log, indented, to stand below an error; empty when there is nothing."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    tail = text.splitlines()[-lines:]
    return f"; {path} ends:\n" + "\n".join(f"  {line}" for line in tail) if tail else ""


def open_log(path: Path) -> int:
    """A descriptor that appends to a private log."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _write_json(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
