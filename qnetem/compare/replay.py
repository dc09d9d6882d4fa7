"""Running a recorded run again, and checking that the same happens.

Owns what is taken from the record (topology with seed and overrides, injected faults, the way it ran) and the
verdict. Does not own running (api.py) nor comparing (diff.py). The replay of one node alone, with the same or
another program, is in node_replay.py.

Rules. Real time mode is replayed in virtual time: the instants are the same, and so is the digest. What came
from outside is fed again, at the instants at which it was granted. A run that
was ended from outside is replayed up to the same virtual time, and must begin like it. A record that has been
changed since is not replayed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..agents.keys.database import start_of
from ..api import start
from ..checks import check_programs
from ..emulator.errors import InputError
from ..emulator.loading import Topology
from ..emulator.topology.model.topology import NodeSpec
from ..emulator.wire.control import Problem
from ..keys.key_sites import PROGRAM as KEY_SERVICE
from ..runs.events import last_instant
from ..runs.fingerprints import program_files, versions
from ..runs.recorded import RecordedRun, open_run, why_no_journal
from ..runs.recorded_inputs import recorded_inputs
from .diff import Comparison, Setting, compare, differing_settings

if TYPE_CHECKING:
    from ..launcher.launcher import OnProgress, RunOptions
    from ..runs.run_folder import RunResult


@dataclass(frozen=True)
class Replay:
    """A replay that is over: the record beside what happened now (`comparison.b`).

    `problem` is one that had not been there in the record and that kept the replay from its end.
    """

    recorded: RecordedRun
    comparison: Comparison
    problem: Problem | None

    @property
    def same(self) -> bool:
        """Whether the same happened: all of it, or as much as the record holds."""
        if self.comparison.same:
            return True
        return self.recorded.cut_short and self.comparison.is_beginning


def replay(
    recorded: RecordedRun,
    options: RunOptions,
    *,
    in_process: bool,
    on_progress: OnProgress | None = None,
) -> Replay:
    """Run it again, in a run folder of its own.

    Raises InputError for a record that cannot be replayed, or is not as the run left it.
    """
    recorded.check()
    topology = topology_to_replay(recorded)
    options = dataclasses.replace(options, inputs=recorded_inputs(recorded))
    check_programs(topology)
    result = start(topology, options, in_process, on_progress)
    again = open_run(result.run_folder)
    comparison = compare(recorded, again)
    # That a replay ends earlier is known; what has changed since the run is worth showing.
    changed = [setting for setting in comparison.settings if setting.kind != "topology"]
    comparison = dataclasses.replace(comparison, settings=changed)
    return Replay(recorded, comparison, _from_outside(again, result))


def topology_to_replay(recorded: RecordedRun) -> Topology:
    """What is to be run. Raises InputError when the record holds too little."""
    topology = recorded.resolved()
    update = {"mode": "virtual"}
    if recorded.cut_short:
        if recorded.journal is None:
            raise InputError(
                f"{why_no_journal(recorded)}, and it was broken off: nothing to compare a replay with"
            )
        t_ns, _ = last_instant(recorded.journal)
        update["until_ns"] = max(1, t_ns)  # type: ignore[assignment]
    timing = topology.time.model_copy(update=update)
    nodes = {name: _with_its_stores(node, recorded) for name, node in topology.nodes.items()}
    return topology.model_copy(update={"time": timing, "nodes": nodes})


def _with_its_stores(node: NodeSpec, recorded: RecordedRun) -> NodeSpec:
    """Stores that outlive runs hold in a replay what they held when the run began."""
    start = str(start_of(recorded.folder.stores))
    services = {
        name: spec.model_copy(update={"options": {**spec.options, "store": start}})
        if spec.program == KEY_SERVICE and spec.options.get("store")
        else spec
        for name, spec in node.services.items()
    }
    return node.model_copy(update={"services": services})


def changed_since(recorded: RecordedRun) -> list[Setting]:
    """The programs' files and packages that are no longer as they were recorded (`b` is now)."""
    now = RecordedRun(
        recorded.path,
        None,
        recorded.topology,
        recorded.facts,
        versions(),
        program_files(recorded.topology),
    )
    return differing_settings(recorded, now)


def _from_outside(again: RecordedRun, result: RunResult) -> Problem | None:
    return result.outcome.problem if again.cut_short else None
