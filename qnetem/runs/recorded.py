"""A run that is over, read back from its folder.

Owns reading what the launcher wrote (run_folder.py), and the errors for what is missing. Does not own what is
in the journal (events.py) nor in the nodes' own records (node_record.py).

Rules: a run that was broken off has no outcome, and a run with `record: hashes` no journal. Neither is an
error until it is needed. A replay runs what the run left: the outcome holds a hash of each file, which shows
a changed or truncated one (not one that was changed together with its hash).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ..emulator.errors import InfrastructureError, InputError, Interrupted, NodeLost, NodeSilent
from ..emulator.topology.model.topology import Topology
from ..emulator.wire.control import FaultRecord
from .events import digest_of
from .files import read_json, unreadable
from .fingerprints import hash_of
from .recorded_faults import from_journal, from_outcome, recorded_faults
from .run_folder import RunFolder

_Read = TypeVar("_Read", bound=msgspec.Struct)
#: Ends that come from outside: a replay continues where the recorded run stopped.
_FROM_OUTSIDE = tuple(
    kind.__name__ for kind in (Interrupted, NodeLost, NodeSilent, InfrastructureError)
)


class _Kind(msgspec.Struct):
    kind: str


class Planned(msgspec.Struct):
    """The head of a recorded topology, in every version of qnetem."""

    name: str
    seed: int
    nodes: dict[str, _Kind]


class NodeAtEnd(msgspec.Struct):
    """One node at the end; what it still had is as in `emulator.wire.control.Left`."""

    state: str
    incarnation: int
    slots_used: int = 0
    slots: int = 0
    held: list[str] = []
    unread: dict[str, int] = {}
    open: list[str] = []
    grants: int = 0
    worked_s: float = 0.0
    waits: list[tuple[str, str, int]] = []
    owners: dict[str, str] = {}
    inputs: int = 0


class End(msgspec.Struct):
    """The outcome as it is recorded."""

    digest: str
    t_ns: int
    instants: int
    wall_s: float
    problem: dict[str, str] | None
    nodes: dict[str, NodeAtEnd]
    faults: list[FaultRecord] = []
    noticed: list[dict[str, Any]] = []
    files: dict[str, str] = {}


@dataclass(frozen=True)
class RecordedRun:
    """A run folder, or a journal that stands alone (then only `journal` is known).

    `outcome` is None when the run was broken off; `journal` is None when there is none.
    """

    path: Path
    journal: Path | None
    topology: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    programs: dict[str, Any] = field(default_factory=dict)
    outcome: dict[str, Any] | None = None

    @property
    def folder(self) -> RunFolder:
        """The paths of its files; of no use for a journal that stands alone."""
        return RunFolder(self.path)

    @cached_property
    def digest(self) -> str | None:
        """The run's digest: as it was printed, else that of its journal; None without either."""
        if self.outcome is not None:
            return str(self.outcome["digest"])
        return digest_of(self.journal) if self.journal is not None else None

    @property
    def seed(self) -> int | None:
        """The seed it ran with."""
        return self.topology.get("seed")

    @property
    def in_process(self) -> bool:
        """Whether all its nodes shared one process."""
        return bool(self.facts.get("in_process"))

    @property
    def workers(self) -> int | None:
        """How many worker processes its nodes shared; None: none."""
        return self.facts.get("workers")

    @property
    def cut_short(self) -> bool:
        """Whether something outside ended it, so that its events are only the first ones."""
        if self.outcome is None:
            return True
        problem = self.outcome.get("problem")
        return problem is not None and problem.get("kind") in _FROM_OUTSIDE

    @property
    def unchecked(self) -> str | None:
        """Why its files cannot be checked, although it came to an end; None when they can."""
        if self.outcome is None or "files" in self.outcome:
            return None
        return f"{self.folder.outcome} holds no hashes, as an older qnetem wrote it: no file is checked"

    def check(self, *paths: Path) -> None:
        """Raises InputError unless these files are as the run left them; none named: all but the nodes'.

        A run that was broken off, and one of an older version, has no hashes: then nothing is checked.
        """
        if self.outcome is None or self.unchecked is not None:
            return
        hashes, source = self.end().files, self.folder.outcome.name
        names = [self.folder.within(path) for path in paths]
        records = self.folder.within(self.folder.records) + "/"
        for name in names or [name for name in hashes if not name.startswith(records)]:
            path = self.path / name
            if name not in hashes:
                raise InputError(f"{path} is not of this run: {source} does not know it")
            try:
                found = hash_of(path)
            except OSError as error:
                raise InputError(unreadable(path, error)) from error
            if found != hashes[name]:
                expected = f"expected BLAKE2b {hashes[name]}, as in {source}, found {found}"
                raise InputError(f"{path} has been changed since the run: {expected}")

    def end(self) -> End:
        """How it ended. Raises InputError when it was broken off, or the outcome is not a run's."""
        if self.outcome is None:
            raise InputError(
                f"{self.path}: the run was broken off: it has no {self.folder.outcome.name}"
            )
        return _as(End, self.outcome, self.folder.outcome)

    def planned(self) -> Planned:
        """What it was to be, in short. Raises InputError when the topology is not a run's."""
        return _as(Planned, self.topology, self.folder.topology)

    def resolved(self) -> Topology:
        """The topology it ran with, with its faults as they went. Raises InputError."""
        if not self.topology:
            raise InputError(f"{self.path} is a journal alone: expected the folder of a run")
        topology = Topology.from_data(self.topology)
        if self.journal is not None:
            return recorded_faults(topology, from_journal(self.journal))
        return recorded_faults(topology, from_outcome(self.outcome or {}))


def open_run(path: Path) -> RecordedRun:
    """The run in a folder, or of a journal. Raises InputError, which says what was expected."""
    folder = RunFolder(path)
    if path.is_file():
        around = RunFolder(path.parent)
        inside = path == around.journal and around.topology.is_file()
        return open_run(path.parent) if inside else RecordedRun(path, path)
    if not path.is_dir():
        raise InputError(
            f"there is no {path}: expected the folder of a run, or its {folder.journal.name}"
        )
    if not folder.topology.is_file():
        raise InputError(f"{path} is not the folder of a run: it has no {folder.topology.name}")
    outcome = read_json(folder.outcome) if folder.outcome.exists() else None
    if outcome is not None and not isinstance(outcome.get("digest"), str):
        raise InputError(f"{folder.outcome}: expected a digest, found none")
    facts, versions, programs = (
        read_json(part) if part.exists() else {}
        for part in (folder.facts, folder.versions, folder.programs)
    )
    journal = folder.journal if folder.journal.is_file() else None
    topology = read_json(folder.topology)
    return RecordedRun(path, journal, topology, facts, versions, programs, outcome)


def why_no_journal(run: RecordedRun) -> str:
    """Why a run has no journal, for people."""
    if run.topology.get("record") == "hashes":
        return f"{run.path} was recorded with `record: hashes`, which keeps no journal"
    return f"{run.path} has no {run.folder.journal.name}"


def _as(kind: type[_Read], data: dict[str, Any], path: Path) -> _Read:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{path} is not what a run writes: {error}") from error
