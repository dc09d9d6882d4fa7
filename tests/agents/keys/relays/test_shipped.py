"""The networks in topologies/keys, and the scenario of a compromise, keep what they expect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qnetem.cli.main import app
from qnetem.keys.listing import keys_of_run
from qnetem.keys.reach import Reach, reach_of
from qnetem.runs.recorded import open_run

from ..sites import ran

TOPOLOGIES = Path(__file__).parents[4] / "topologies"


def shipped(tmp_path: Path, name: str) -> Reach:
    """What a shipped network's compromises give away; it keeps all that it expects."""
    run = ran(tmp_path, TOPOLOGIES / f"{name}.yaml")
    assert run.verdicts
    assert run.failed == []
    recorded = open_run(run.run_folder)
    return reach_of(recorded, keys_of_run(recorded))


def known(reach: Reach, application: str) -> tuple[int, int]:
    """How many keys of an application are known, of how many."""
    keys = [key for key in reach.keys if key.to == application]
    return sum(bool(key.known_by) for key in keys), len(keys)


def test_vienna_goes_around_a_fibre_that_is_lost(tmp_path: Path) -> None:
    assert shipped(tmp_path, "keys/secoqc").compromised == {}


def test_a_ring_keeps_its_keys_from_a_site_that_is_compromised(tmp_path: Path) -> None:
    reach = shipped(tmp_path, "keys/metro-ring")
    assert known(reach, "bank-north") == known(reach, "bank-south") == (0, 24)
    assert known(reach, "clinic-west") == known(reach, "clinic-east") == (18, 24)
    assert known(reach, "office-west") == (0, 20)
    assert reach.passed
    assert not reach.known


def test_a_relay_on_the_only_path_gives_all_away_that_passes(tmp_path: Path) -> None:
    reach = shipped(tmp_path, "faults/compromise")
    assert known(reach, "app-alice") == known(reach, "app-bob")
    some, every = known(reach, "app-bob")
    assert 0 < some < every == 60
    assert reach.lines()[0] == "compromised: relay, 5 s"
    assert f"keys of app-bob at bob: {some} of 60 known" in reach.lines()
    (run_folder,) = tmp_path.glob("compromise-*")
    listed = CliRunner().invoke(app, ["keys", "list", str(run_folder), "--format", "json"])
    assert listed.exit_code == 0, listed.output
    data = json.loads(listed.output)["reach"]
    assert data == reach.as_data()
    assert data["compromised"] == [{"node": "relay", "t_ns": 5_000_000_000}]
    listed = CliRunner().invoke(app, ["keys", "list", str(run_folder)])
    assert listed.output.splitlines()[-len(reach.lines()) :] == reach.lines()


@pytest.mark.papers
def test_a_day_from_beijing_to_shanghai(tmp_path: Path) -> None:
    assert shipped(tmp_path, "keys/beijing-shanghai").compromised == {}
