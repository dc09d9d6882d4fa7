"""The folder of a run: everything that is needed to understand it, and to run it again.

Owns the paths of all its files (those that another process writes or reads are named in
emulator/wire/run_files.py), what the launcher writes into it, and which folder a name on the command line
means. Other rooms ask a `RunFolder` for a path; those who write a file own what is in it.

Rules: a run folder belongs to one run; two runs that start in the same moment get two. It is its owner's
only, folders (0700) and files (0600), whatever the umask: options of programs may be secrets, and so may
what they send and print.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ..emulator.errors import InfrastructureError, InputError, QnetemError
from ..emulator.topology.written.names import nearest
from ..emulator.wire import RecordedInput, run_files
from ..emulator.wire.compressed import finish
from ..emulator.wire.control import Outcome
from .files import read_json, unreadable, unwritable, write_json, write_whole
from .fingerprints import hash_of, program_files, versions

LATEST = "latest"
PRIVATE_FOLDER = 0o700
_NAME_LENGTH = 40
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RECORD = re.compile(r"(?P<node>.+)\.(?P<incarnation>[0-9]+)\.bin(\.gz)?")


@dataclass(frozen=True)
class RunResult:
    """What a run came to, where it is recorded, and the first signal that came for it, if any."""

    outcome: Outcome
    run_folder: Path
    exit_code: int
    signal: int | None = None


class RunFolder:
    """A run folder and the paths in it, whether they are there or not."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def create(cls, runs_folder: Path, name: str) -> RunFolder:
        """A new folder for a run of the topology `name`, absolute; its own name is safe in MQTT topics.

        Raises InputError, naming the folder, when it cannot be written.
        """
        safe = _UNSAFE.sub("-", name).strip("-.")[:_NAME_LENGTH] or "run"
        time = datetime.now(tz=UTC).astimezone().strftime("%Y%m%d-%H%M%S")
        runs = runs_folder.resolve()
        try:
            runs.mkdir(parents=True, exist_ok=True)
            while True:
                folder = cls(runs / f"{safe}-{time}-{os.urandom(3).hex()}")
                try:
                    folder.path.mkdir(mode=PRIVATE_FOLDER)
                except FileExistsError:
                    continue
                for part in (folder.logs, folder.records):
                    part.mkdir(mode=PRIVATE_FOLDER)
                return folder
        except OSError as error:
            raise InputError(
                f"no run folder can be written in {runs}: {error.strerror or error}; "
                "name another one with --runs-folder DIR (runs_folder= in Python)"
            ) from error

    # --- written by the launcher ------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The run's id, in topics and messages."""
        return self.path.name

    @property
    def topology(self) -> Path:
        """The resolved topology, seed and overrides included."""
        return self.path / "topology.json"

    @property
    def facts(self) -> Path:
        """Name, seed, source file, broker, whether in one process. Every run folder has it."""
        return self.path / "run.json"

    @property
    def versions(self) -> Path:
        """Python, platform and packages: what the digest may depend on."""
        return self.path / "versions.json"

    @property
    def programs(self) -> Path:
        """The files of programs and noise functions, and the BLAKE2b of each."""
        return self.path / "programs.json"

    @property
    def inputs(self) -> Path:
        """What came from outside in the run that this one repeats. Only a replay has it."""
        return run_files.inputs(self.path)

    @property
    def stores(self) -> Path:
        """The folder of what services have stored (agents/storage.py)."""
        return run_files.stores(self.path)

    @property
    def outcome(self) -> Path:
        """Digest, times, problem, faults, what each node still had, hashes of what a replay reads.

        It is there once the run has an outcome.
        """
        return self.path / "outcome.json"

    @property
    def live(self) -> Path:
        """Where the run answers requests; it is there until the run is over (live/address.py)."""
        return self.path / "desk.json"

    @property
    def sockets(self) -> Path:
        """The folder of the emulator's and the live socket, until the run is over (sockets.py)."""
        return self.path / "sockets"

    @property
    def broker(self) -> Path:
        """The folder of the broker: its configuration, accounts and log."""
        return self.path / "broker"

    @property
    def observer(self) -> Path:
        """Where and with which login the run can be watched (broker/observer.py)."""
        return self.path / "observer.json"

    # --- written by emulator and nodes ------------------------------------------------------------

    @property
    def journal(self) -> Path:
        """Events (emulator/record/journal.py); with `record: full` only."""
        return _as_it_is(run_files.journal(self.path))

    @property
    def refusals(self) -> Path:
        """Connections that the emulator refused (emulator/record/refusals.py)."""
        return run_files.refusals(self.path)

    @property
    def logs(self) -> Path:
        """The folder of logs: emulator, zygote, and one for each incarnation of a node."""
        return run_files.logs(self.path)

    @property
    def emulator_log(self) -> Path:
        """What the emulator printed."""
        return self.logs / "emulator.log"

    @property
    def zygote_log(self) -> Path:
        """What the zygote printed."""
        return self.logs / "zygote.log"

    def node_log(self, node: str, incarnation: int) -> Path:
        """What an incarnation of a node logged and printed."""
        return run_files.node_log(self.path, node, incarnation)

    @property
    def records(self) -> Path:
        """The folder of what each incarnation received and did; with `record: full` only."""
        return run_files.records(self.path)

    def record(self, node: str, incarnation: int) -> Path:
        """What an incarnation of a node received and did (agents/process/files.py)."""
        return _as_it_is(run_files.node_record(self.path, node, incarnation))

    def recorded(self) -> list[tuple[str, int]]:
        """The node and incarnation of each record that is there."""
        names = (path.name for path in self._records())
        found = [match for name in names if (match := _RECORD.fullmatch(name))]
        return sorted((match["node"], int(match["incarnation"])) for match in found)

    def replayed(self) -> list[Path]:
        """The files that a replay reads, as far as they are there."""
        files = [self.topology, self.facts, self.versions, self.programs, self.journal]
        files += self._records()
        return [path for path in files if path.is_file()]

    def _records(self) -> list[Path]:
        return sorted(path for path in self.records.glob("*.bin*") if _RECORD.fullmatch(path.name))

    def within(self, path: Path) -> str:
        """How outcome.json names a file of this folder, e.g. `nodes/alice.1.bin.gz`."""
        return path.relative_to(self.path).as_posix()

    # --- what the launcher writes -----------------------------------------------------------------

    def describe(
        self,
        topology: dict[str, Any],
        facts: dict[str, Any],
        inputs: list[RecordedInput] | None = None,
    ) -> None:
        """Write topology, facts, versions, programs and, of a replay, what it feeds from outside.

        Raises InputError when the disk refuses.
        """
        try:
            if inputs is not None:
                write_whole(self.inputs, msgspec.msgpack.encode(inputs))
            write_json(self.topology, topology)
            write_json(self.facts, facts)
            write_json(self.versions, versions())
            write_json(self.programs, program_files(topology))
        except OSError as error:
            raise InputError(unwritable(self.path, error)) from error

    def conclude(self, outcome: Outcome, signals: Sequence[int] = ()) -> RunResult:
        """Write the outcome of a run for which these signals came.

        Raises InfrastructureError when the disk refuses, unless the run has a problem already.
        """
        problem = outcome.problem
        try:
            for path in self._records():
                with contextlib.suppress(
                    OSError
                ):  # what a full disk leaves in a tail is read there
                    finish(path)
            write_json(self.outcome, self._end(outcome))
        except OSError as error:
            if problem is None:
                raise InfrastructureError(unwritable(self.path, error)) from error
        code = 0 if problem is None else problem.exit_code
        return RunResult(outcome, self.path, code, signals[0] if signals else None)

    def _end(self, outcome: Outcome) -> dict[str, Any]:
        from .run_warnings import run_warnings  # words for people: not before there is an outcome

        problem = outcome.problem
        return {
            "digest": outcome.digest,
            "t_ns": outcome.t_ns,
            "instants": outcome.instants,
            "wall_s": outcome.wall_s,
            "problem": None
            if problem is None
            else {"kind": problem.kind, "node": problem.node, "text": problem.text},
            "nodes": {name: _node_at_end(outcome, name) for name in outcome.nodes},
            "faults": msgspec.to_builtins(outcome.faults),
            "noticed": run_warnings(outcome),
            "files": {self.within(path): hash_of(path) for path in self.replayed()},
        }

    @contextlib.contextmanager
    def in_errors(self) -> Iterator[None]:
        """Errors of ours that are raised meanwhile say which run folder it was."""
        try:
            yield
        except QnetemError as error:
            error.run_folder = str(self.path)
            raise

    # --- what is read back ------------------------------------------------------------------------

    def read_facts(self) -> dict[str, Any]:
        """What run.json says. Raises InputError."""
        return read_json(self.facts)

    def read_nodes(self) -> list[str]:
        """The names of the run's nodes. Raises InputError."""
        return list(read_json(self.topology).get("nodes", {}))


def _as_it_is(path: Path) -> Path:
    """A compressed file, or the plain one of an earlier version that is there in its place."""
    plain = path.with_suffix("")
    return plain if not path.exists() and plain.exists() else path


def _node_at_end(outcome: Outcome, name: str) -> dict[str, Any]:
    """A node's state and what it still had; no results, which may hold keys."""
    node, left = outcome.nodes[name], outcome.left.get(name)
    facts = {"state": node.state, "incarnation": node.incarnation}
    return facts | ({} if left is None else msgspec.to_builtins(left))


def find_run(name: str, runs_folder: Path = Path("runs")) -> Path:
    """The run folder that is meant by a path, a name below `runs_folder`, or `latest`.

    A path that is there goes before a name. Raises InputError, which names the nearest one.
    """
    for path in (Path(name), runs_folder / name):
        if RunFolder(path).facts.is_file():
            return path
    known = _runs(runs_folder)
    if name == LATEST:
        if not known:
            raise InputError(f"there is no run in {runs_folder}")
        return known[-1]
    if Path(name).exists():
        mark = RunFolder(Path(name)).facts.name
        raise InputError(f"{name} is not the folder of a run: it has no {mark}")
    names = [path.name for path in known]
    raise InputError(f"there is no run {name!r} here or in {runs_folder}{nearest(name, names)}")


def _runs(runs_folder: Path) -> list[Path]:
    """All runs below a folder, in the order in which they began."""
    try:
        marks = (RunFolder(path).facts for path in runs_folder.glob("*"))
        found = [(mark.stat().st_mtime_ns, mark.parent) for mark in marks if mark.is_file()]
    except OSError as error:
        raise InputError(unreadable(runs_folder, error)) from error
    return [folder for _, folder in sorted(found)]
