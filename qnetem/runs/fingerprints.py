"""What a run's digest may depend on beside its topology: versions of packages, and the files of programs.

Owns which packages and files those are, and the hash of a file. Does not own where they are recorded
(run_folder.py).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import platform
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
    """The files of a resolved topology's programs, services and noise functions: BLAKE2b (128 bit) by path.

    What those files import in their turn is not among them. A file that cannot be read is left out: the
    process that needs it reports the error.
    """
    quantum = [link.get("quantum") or {} for link in topology.get("links", {}).values()]
    nodes = topology["nodes"].values()
    names = [node["program"] for node in nodes]
    names += [each["program"] for node in nodes for each in node.get("services", {}).values()]
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


def versions() -> dict[str, str]:
    """Python, machine and package versions; a package that is not installed is left out."""
    return dict(_versions())


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
    found = {"python": platform.python_version(), "platform": platform.platform()}
    found["machine"] = platform.machine()
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
