"""Every topology that comes with qnetem runs, keeps its promises, and repeats."""

from __future__ import annotations

from pathlib import Path

import pytest

import qnetem

ROOT = Path(__file__).parents[2] / "topologies"
TOPOLOGIES = sorted([*ROOT.glob("*.yaml"), *ROOT.glob("keys/*.yaml")])

pytestmark = pytest.mark.processes


@pytest.mark.parametrize(
    "path", TOPOLOGIES, ids=[str(path.relative_to(ROOT).with_suffix("")) for path in TOPOLOGIES]
)
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
