"""Each attack has a topology that shows what it costs and what it tells, beside its closed form."""

from __future__ import annotations

from pathlib import Path

import pytest

import qnetem

from .. import harness

FILES = sorted(Path(__file__).parents[2].glob("topologies/eve/*.yaml"))
ATTACKS = Path(__file__).parents[2] / "agents" / "roles" / "eavesdroppers"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_it_shows_what_it_promises(path: Path, tmp_path: Path) -> None:
    harness.expectations_hold(path, tmp_path)


@pytest.mark.processes
def test_it_is_the_same_in_processes(tmp_path: Path, mosquitto: str) -> None:
    (path,) = [path for path in FILES if path.stem == "photon-number-splitting"]
    run = qnetem.run(path, runs_folder=tmp_path)
    assert run.problem is None
    again = qnetem.run(path, runs_folder=tmp_path, in_process=True)
    assert (again.digest, again.results) == (run.digest, run.results)
