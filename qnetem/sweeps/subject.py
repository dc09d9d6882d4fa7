"""What is swept over: a topology that has been checked, and what its runs depend on.

Owns the checks before the first run, the hash of everything that a resumed sweep must find unchanged, the key
of a run, and the command that repeats one.

Rule: a mistake in any single value is raised before anything runs. What only a combination of values gets
wrong is the failure of its row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..agents.node.program import load_program
from ..api import prepare
from ..checks import check_programs
from ..emulator.errors import InputError
from ..emulator.loading import Topology
from ..emulator.loading.loader import MoreFaults
from ..emulator.program_modules import ProgramModules
from ..expect.expect import check_quantity, parse_expectations
from ..inprocess.turns import Share
from ..runs.files import unreadable
from ..runs.fingerprints import hash_of, program_files, versions
from ..sources import Source, plain_data
from ..text.error_output import reproduce
from .axes import Axes, Point, value_text
from .worker import Job, Task


@dataclass(frozen=True)
class Subject:
    """The job that all runs have in common. `fingerprint`: of topology, programs and versions."""

    job: Job
    seeds: Sequence[int]
    fingerprint: str
    shown: str

    def key(self, task: Task) -> str:
        """What tells a run from all others."""
        return _hash([self.fingerprint, list(task.overrides.items()), task.seed])

    def command(self, task: Task) -> str:
        """The command that runs the same again; empty for a topology or faults that are in no file."""
        if not self.shown or self.job.faults:
            return ""
        sets = [f"{key}={value_text(value)}" for key, value in task.overrides.items()]
        return reproduce(self.shown, task.seed or 0, in_process=True, sets=sets)


def checked(
    source: Source,
    axes: Axes,
    *,
    faults: MoreFaults = (),
    runs_folder: str | Path | None = None,
    quantity: str | None = None,
) -> Subject:
    """The subject of a sweep. Raises InputError for whatever is wrong before anything runs.

    `quantity`: one that every run must be able to measure.
    """
    if isinstance(source, Topology):
        raise InputError("a sweep needs a file, a text or data; this Topology is complete")
    job = _job(source, faults, runs_folder)
    files: dict[str, str] = {}
    first: Topology | None = None
    for point in _samples(axes):
        topology = prepare(job.source, overrides=point, faults=job.faults, folder=Path(job.folder))
        parse_expectations(topology)
        check_programs(topology)
        if quantity is not None:
            check_quantity(quantity, topology)
        files |= _files(topology)
        first = first or topology
    assert first is not None, "there is at least one point"
    text = _text(job)
    hashed = [text, job.faults, sorted(files.items()), sorted(versions().items())]
    seeds = [first.seed] if axes.seeds is None else axes.seeds
    return Subject(job, seeds, _hash(hashed), str(source) if job.path is not None else "")


def _job(source: Source, faults: MoreFaults, runs_folder: str | Path | None) -> Job:
    path = text = data = None
    if isinstance(source, Mapping):
        data = plain_data(source)
    elif isinstance(source, str) and "\n" in source:
        text = source
    else:
        path = str(Path(str(source)).absolute())
    runs = None if runs_folder is None else str(Path(runs_folder).absolute())
    return Job(path, text, data, str(Path.cwd()), [plain_data(each) for each in faults], runs)


def _samples(axes: Axes) -> Iterator[Point]:
    """The first point, and every value of each parameter once, the others as in the first point."""
    first = {key: values[0] for key, values in axes.values.items()}
    yield first
    for key, values in axes.values.items():
        for value in values[1:]:
            yield {**first, key: value}


def _files(topology: Topology) -> dict[str, str]:
    """What the runs of a topology read: programs with what they import beside them, and files in options."""
    base = topology.source.parent if topology.source else None
    found = program_files(topology.to_data())
    with Share().turn(), ProgramModules() as modules:
        for node in topology.nodes.values():
            load_program(node.program, base, modules)
        paths = modules.files()
    folder = Path(topology.folder)
    for node in topology.nodes.values():
        paths += [folder / text for text in _texts(node.options) if _is_file(folder / text)]
    try:
        return found | {str(path): hash_of(path) for path in paths}
    except OSError as error:
        raise InputError(unreadable(str(error.filename), error)) from error


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _texts(part)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it
        return False


def _text(job: Job) -> Any:
    """The topology as it was given; its file's hash where it is in one."""
    return job.data or job.text or hash_of(Path(str(job.path)))


def _hash(value: Any) -> str:
    text = json.dumps(msgspec.to_builtins(value), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
