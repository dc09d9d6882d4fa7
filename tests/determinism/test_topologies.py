"""Every topology that comes with qnetem runs, keeps its promises, and repeats."""

from __future__ import annotations

from pathlib import Path

import pytest

import qnetem

from ..counts import count

ROOT = Path(__file__).parents[2] / "topologies"
TOPOLOGIES = sorted([*ROOT.glob("*.yaml"), *ROOT.glob("keys/*.yaml")])
#: With more of what they promise, by tests/agents/keys: relays/test_shipped.py, test_key_service.py.
SHOWN_ELSEWHERE = {"key-service", "keys/beijing-shanghai", "keys/metro-ring", "keys/secoqc"}
#: As processes in a campaign only: many nodes, or long runs.
DEAR = {"key-service", "metro-keys", "nv-three-nodes"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT).with_suffix(""))


def apart() -> list[Path]:
    """As processes: all of them in a campaign, else some; each costs seconds."""
    if count(len(TOPOLOGIES)) == len(TOPOLOGIES):
        return TOPOLOGIES
    return [path for path in TOPOLOGIES[::3] if named(path) not in DEAR | SHOWN_ELSEWHERE]


APART = apart()
IN_PROCESS = [
    path for path in TOPOLOGIES if path not in APART and named(path) not in SHOWN_ELSEWHERE
]


@pytest.mark.parametrize("path", IN_PROCESS, ids=named)
def test_it_keeps_its_promises(path: Path, tmp_path: Path) -> None:
    run = qnetem.run(path, runs_folder=tmp_path, in_process=True)
    assert run.problem is None
    assert [verdict for verdict in run.verdicts if not verdict.ok] == []
    assert run.exit_code == 0


@pytest.mark.processes
@pytest.mark.campaign
@pytest.mark.parametrize("path", APART, ids=named)
def test_it_runs_in_processes_as_in_one(path: Path, tmp_path: Path, mosquitto: str) -> None:
    run = qnetem.run(path, runs_folder=tmp_path)
    assert run.problem is None
    assert [verdict for verdict in run.verdicts if not verdict.ok] == []
    assert run.exit_code == 0
    again = qnetem.run(path, runs_folder=tmp_path, in_process=True)
    assert again.exit_code == 0
    assert (again.digest, again.results) == (run.digest, run.results)


def test_there_are_some() -> None:
    assert "quickstart" in [path.stem for path in TOPOLOGIES]
