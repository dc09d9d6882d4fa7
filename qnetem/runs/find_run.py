"""Which run is meant: a folder, the name of one below `runs/`, or `latest`.

Owns that choice only. Rule: a path that is there goes before a name.
"""

from __future__ import annotations

from pathlib import Path

from ..emulator.errors import InputError
from ..emulator.topology.written.names import nearest

LATEST = "latest"
_MARK = "run.json"


def find_run(name: str, runs_folder: Path = Path("runs")) -> Path:
    """The run folder. Raises InputError, which names the nearest one."""
    for path in (Path(name), runs_folder / name):
        if (path / _MARK).is_file():
            return path
    known = _runs(runs_folder)
    if name == LATEST:
        if not known:
            raise InputError(f"there is no run in {runs_folder}")
        return known[-1]
    if Path(name).exists():
        raise InputError(f"{name} is not the folder of a run: it has no {_MARK}")
    names = [path.name for path in known]
    raise InputError(f"there is no run {name!r} here or in {runs_folder}{nearest(name, names)}")


def _runs(runs_folder: Path) -> list[Path]:
    """All runs below a folder, in the order in which they began."""
    try:
        found = [(path.stat().st_mtime_ns, path.parent) for path in runs_folder.glob(f"*/{_MARK}")]
    except OSError as error:
        raise InputError(f"{runs_folder} cannot be read: {error.strerror or error}") from error
    return [folder for _, folder in sorted(found)]
