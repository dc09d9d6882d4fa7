"""The folder of a run: everything that is needed to understand it, and to run it again.

Owns its name, its layout and what the launcher writes before the first instant. The journal is the
emulator's, `nodes/` the nodes', `broker/` the broker's.

    runs/<name>-<time>-<suffix>/
        topology.json   the resolved topology, seed and overrides included
        run.json        name, seed, source file, broker, whether in one process
        versions.json   Python, platform and packages: what the digest may depend on
        programs.json   the files of programs and noise functions, and the BLAKE2b of each
        outcome.json    digest, times, problem, faults, what each node still had, and a hash of each file that
                        a replay reads, once the run is over
        desk.json       where the run can be spoken to, as long as it goes on
        sockets/        the emulator's and the desk's, as long as it goes on (sockets.py)
        journal*        events (record/journal.py)
        access.jsonl    connections that the emulator refused (record/refusals.py)
        observer.json   where and with which login the run can be watched (observer.py)
        logs/           emulator, zygote and one log per incarnation of a node
        nodes/          what each incarnation received and did (record: full)

Rules: a run folder belongs to one run; two runs that start in the same moment get two. It is its owner's
only, folders (0700) and files (0600), whatever the umask: options of programs may be secrets, and so may
what they send and print.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from ..emulator.errors import InfrastructureError, InputError
from ..emulator.wire import UNREADABLE
from ..emulator.wire.control import Outcome
from .atomic_files import write_whole
from .run_warnings import notices

#: The packages whose version can change a result or its speed.
PACKAGES = ("qnetem", "numpy", "qutip", "scipy", "stim", "aiomqtt", "paho-mqtt", "msgspec")
PRIVATE_FOLDER = 0o700
#: What a replay reads, beside the records of nodes.
_READ_AGAIN = ("topology.json", "run.json", "versions.json", "programs.json", "journal.jsonl")
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
                folder.mkdir(mode=PRIVATE_FOLDER)
            except FileExistsError:
                continue
            for part in ("logs", "nodes"):
                (folder / part).mkdir(mode=PRIVATE_FOLDER)
            return folder
    except OSError as error:
        raise InputError(
            f"no run folder can be written in {runs}: {error.strerror or error}; "
            "name another one with --runs"
        ) from error


def read_facts(folder: Path) -> dict[str, Any]:
    """What run.json says. Raises InputError when it cannot be read."""
    return _read_json(folder / "run.json")


def read_nodes(folder: Path) -> list[str]:
    """The names of a run's nodes. Raises InputError when its topology.json cannot be read."""
    return list(_read_json(folder / "topology.json").get("nodes", {}))


def describe_run(folder: Path, topology: dict[str, Any], facts: dict[str, Any]) -> Path:
    """Write topology.json, run.json (`facts`), versions.json, programs.json; the path of topology.json.

    Raises InputError when the disk refuses.
    """
    path = folder / "topology.json"
    try:
        _write_json(path, topology)
        _write_json(folder / "run.json", facts)
        _write_json(folder / "versions.json", versions())
        _write_json(folder / "programs.json", program_files(topology))
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}") from error
    return path


def conclude_run(folder: Path, outcome: Outcome) -> None:
    """Write outcome.json. Raises InfrastructureError when the disk refuses, unless that is told already."""
    facts = {
        "digest": outcome.digest,
        "t_ns": outcome.t_ns,
        "instants": outcome.instants,
        "wall_s": outcome.wall_s,
        "problem": None,
        "nodes": {name: _node_at_end(outcome, name) for name in outcome.nodes},
        "faults": msgspec.to_builtins(outcome.faults),
        "noticed": notices(outcome),
    }
    problem = outcome.problem
    if problem is not None:
        facts["problem"] = {"kind": problem.kind, "node": problem.node, "text": problem.text}
    try:
        facts["files"] = _hashes(folder)
        _write_json(folder / "outcome.json", facts)
    except OSError as error:
        if problem is None:
            text = f"{folder} cannot be written: {error.strerror or error}"
            raise InfrastructureError(text) from error


def _hashes(folder: Path) -> dict[str, str]:
    """The hash of each file that a replay reads, by its name in the folder."""
    records = sorted(path.name for path in (folder / "nodes").glob("*.bin"))
    names = [*_READ_AGAIN, *(f"nodes/{name}" for name in records)]
    return {name: hash_of(folder / name) for name in names if (folder / name).is_file()}


def hash_of(path: Path) -> str:
    """BLAKE2b (128 bit, hex) of a file, read in portions. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _node_at_end(outcome: Outcome, name: str) -> dict[str, Any]:
    """A node's state and what it still had; no results, which may hold keys."""
    node, left = outcome.nodes[name], outcome.left.get(name)
    facts = {"state": node.state, "incarnation": node.incarnation}
    return facts | ({} if left is None else msgspec.to_builtins(left))


def program_files(topology: dict[str, Any]) -> dict[str, str]:
    """The files of a resolved topology's programs and noise functions: BLAKE2b (128 bit, hex) by path.

    What those files import in their turn is not among them. A file that cannot be read is left out:
    whoever needs it says so.
    """
    quantum = [link.get("quantum") or {} for link in topology.get("links", {}).values()]
    names = [node["program"] for node in topology["nodes"].values()]
    names += [plane["noise"] for plane in quantum if plane.get("noise")]
    found = {}
    for place in sorted({name.rpartition(":")[0] for name in names}):
        path = _program_path(place)
        if path is not None:
            try:
                found[str(path)] = hash_of(path)
            except OSError:
                continue
    return found


def _program_path(place: str) -> Path | None:
    """The file of "file.py" or of a module, found without running it."""
    if place.endswith(".py"):
        return Path(place).resolve()
    try:
        spec = importlib.util.find_spec(place)
    except (ImportError, AttributeError, ValueError):  # its package cannot be imported, or is none
        return None
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None


def versions() -> dict[str, str]:
    """Python, machine and package versions; a package that is not installed is left out."""
    return dict(_versions())


@functools.cache  # reading the metadata of eight packages takes as long as a small run
def _versions() -> dict[str, str]:
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


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except UNREADABLE as error:
        raise InputError(f"{path} is not what a run writes: {error}") from error


def _write_json(path: Path, value: object) -> None:
    data = msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    write_whole(path, data)
