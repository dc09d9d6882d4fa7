"""Every fault has a scenario that shows what it does, beside its closed form, and that it heals."""

from __future__ import annotations

from pathlib import Path

import pytest

import qnetem
from qnetem.emulator.faults.kinds import FAULT_KINDS
from qnetem.emulator.loading import load_topology

from .. import harness
from ..counts import count

SCENARIOS = sorted(Path(__file__).parents[2].glob("topologies/faults/*.yaml"))
#: Those of one kind each: light in trains, memories; heralds too in a campaign.
APART = ("blind", "memory_reset", "lost_herald")[: count(3, 2) + 1]
IN_PROCESSES = [path for path in SCENARIOS if path.stem in APART]


def test_every_fault_has_one() -> None:
    assert {path.stem for path in SCENARIOS} >= set(FAULT_KINDS)


@pytest.mark.parametrize("path", SCENARIOS, ids=[path.stem for path in SCENARIOS])
def test_it_shows_what_it_promises(path: Path, tmp_path: Path) -> None:
    topology = load_topology(path)
    if path.stem in FAULT_KINDS:
        assert path.stem in {fault.verb for fault in topology.faults}, "it shows what it is called"
    harness.expectations_hold(path, tmp_path)


@pytest.mark.processes
@pytest.mark.campaign
@pytest.mark.parametrize("path", IN_PROCESSES, ids=[path.stem for path in IN_PROCESSES])
def test_it_is_the_same_in_processes(path: Path, tmp_path: Path, mosquitto: str) -> None:
    run = qnetem.run(path, runs_folder=tmp_path)
    assert run.problem is None
    again = qnetem.run(path, runs_folder=tmp_path, in_process=True)
    assert (again.digest, again.results) == (run.digest, run.results)
