"""The networks that show the network layer hold what they show with other devices, too."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem.emulator.closed_forms import werner_chain

TOPOLOGIES = Path(__file__).parents[3] / "topologies"


def run(name: str, runs: Path, **overrides: Any) -> qnetem.Run:
    of_run = qnetem.run(
        TOPOLOGIES / f"{name}.yaml", overrides=overrides, in_process=True, runs_folder=runs
    )
    assert of_run.problem is None
    return of_run


#: How often a readout is wrong.
READOUT = {"ideal": 0.0, "nv_centre": 0.0275, "trapped_ion": 0.0023}


def assert_as_claimed(
    of_run: qnetem.Run, source: str, peer: str, hardware: str, joins: int
) -> float:
    """The mean fidelity is what the network expects, within three standard errors; returns that.

    Nearly all of its spread comes from wrong readouts, two a join, each of which leaves almost no fidelity.
    """
    seen = of_run.metrics[f"{source}.pair.fidelity"]
    claimed: float = of_run.metrics[f"{source}.network.{peer}.fidelity_mean"]["mean"]
    wrong = 1 - (1 - READOUT[hardware]) ** (2 * joins)
    sigma = math.sqrt(wrong * (1 - wrong) / seen["count"])
    assert abs(seen["mean"] - claimed) <= 3 * sigma + 1e-3, (seen, claimed)
    return claimed


@pytest.mark.parametrize(("hardware", "gate"), [("ideal", 1.0), ("nv_centre", 1 - 0.03176)])
def test_a_chain_of_eight_with_other_devices(hardware: str, gate: float, tmp_path: Path) -> None:
    of_run = run("chain-8", tmp_path, **{"defaults.hardware": hardware})
    claimed = assert_as_claimed(of_run, "alice", "bob", hardware, joins=6)
    best = werner_chain(0.99, 7, gate=gate, measurement=1 - READOUT[hardware])
    # Memories of 1.46 s take a little more than theory without them.
    assert best - 0.02 < claimed <= best + 1e-6


@pytest.mark.parametrize("hardware", ["nv_centre", "trapped_ion"])
def test_two_flows_share_a_link_with_other_devices(hardware: str, tmp_path: Path) -> None:
    of_run = run("dumbbell", tmp_path, **{"defaults.hardware": hardware})
    for source, peer in (("a1", "b1"), ("a2", "b2")):
        assert 0.45 < of_run.results[source]["share"] < 0.55
        assert_as_claimed(of_run, source, peer, hardware, joins=2)


@pytest.mark.parametrize("hardware", ["nv_centre", "trapped_ion"])
def test_a_ring_is_gone_round_with_other_devices(hardware: str, tmp_path: Path) -> None:
    of_run = run("ring", tmp_path, **{"defaults.hardware": hardware})
    assert of_run.results["n0"]["had"] == 200
    assert of_run.metrics["n0.network.n3.circuits"]["mean"] == 2
    assert_as_claimed(of_run, "n0", "n3", hardware, joins=2)
