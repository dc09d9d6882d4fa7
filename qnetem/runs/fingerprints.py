"""What a run's digest may depend on beside its topology: packages, files of programs and data, the hash seed.

Owns which packages and files those are, and the hash of a file. Does not own where they are recorded
(run_folder.py), nor the digest (emulator/record/journal.py).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

#: The packages whose version can change a result or its speed.
PACKAGES = ("qnetem", "numpy", "qutip", "scipy", "stim", "aiomqtt", "paho-mqtt", "msgspec")


def hash_of(path: Path) -> str:
    """BLAKE2b (128 bit, hex) of a file, read in portions. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def program_files(topology: dict[str, Any]) -> dict[str, str]:
    """The files of a resolved topology's programs, services, noise and options: BLAKE2b (128 bit) by path.

    What program files import in their turn is not among them. A file that cannot be read is left out: the
    process that needs it reports the error.
    """
    quantum = [link.get("quantum") or {} for link in topology.get("links", {}).values()]
    nodes = topology["nodes"].values()
    names = [node["program"] for node in nodes]
    names += [each["program"] for node in nodes for each in node.get("services", {}).values()]
    names += [plane["noise"] for plane in quantum if plane.get("noise")]
    paths = [_program_path(place) for place in {name.rpartition(":")[0] for name in names}]
    paths += data_files(topology)
    found = {}
    for path in sorted(path for path in paths if path is not None):
        try:
            found[str(path)] = hash_of(path)
        except OSError:
            continue
    return found


def data_files(topology: dict[str, Any]) -> list[Path]:
    """The files that options name: texts such as "./table.csv", from the topology's folder.

    A text counts if it has a `/` or a suffix and there is such a file; so does one behind `Path`.
    """
    folder = Path(topology.get("folder") or ".")
    texts = [text for node in topology["nodes"].values() for text in _texts(node.get("options"))]
    named = {folder / text for text in texts if "/" in text or Path(text).suffix}
    return [Path(os.path.abspath(path)) for path in named if _is_file(path)]


def _texts(value: Any) -> Iterator[str]:
    """All texts in an option, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return False


def versions() -> dict[str, str]:
    """Python, machine and package versions; a package that is not installed is left out."""
    return dict(_versions())


def hash_seed() -> str:
    """Which order sets of text have in this process: its hash seed, or what tells random ones apart."""
    given = os.environ.get("PYTHONHASHSEED", "random")
    return given if given != "random" else f"random, {hash('qnetem') & 0xFFFFFFFF:08x}"


def _program_path(place: str) -> Path | None:
    """The file of "file.py" or of a module, found without running it."""
    if place.endswith(".py"):
        return Path(place).resolve()
    try:
        spec = importlib.util.find_spec(place)
    except (ImportError, AttributeError, ValueError):  # its package cannot be imported, or is none
        return None
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None


@functools.cache  # reading the metadata of eight packages takes as long as a small run
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": _platform()}
    found["machine"] = platform.machine()
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _platform() -> str:
    """As of `platform`, which on Linux starts a process that tells the name of the processor."""
    if sys.platform != "linux":
        return platform.platform()
    system = os.uname()
    return f"Linux-{system.release}-{system.machine}-with-{''.join(platform.libc_ver())}"
