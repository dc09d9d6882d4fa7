"""Nitrogen-vacancy centres: what a deadline costs, and whether programs are right where nothing errs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem.emulator.closed_forms.links import single_click_fidelity, single_click_terms

from .bench import assert_frequency, assert_mean

TOPOLOGIES = Path(__file__).parents[2] / "topologies"
#: Links and memories that do not err, of nodes with one qubit for both links.
IDEAL: dict[str, Any] = {
    "defaults.hardware": "ideal",
    "defaults.memory": {"slots": 3, "communication": 1},
}
PERFECT = {"kind": "simple", "success": 0.2, "fidelity": 1.0, "attempt": "10 us"}


def run(name: str, runs: Path, **overrides: Any) -> qnetem.Run:
    return qnetem.run(
        TOPOLOGIES / f"{name}.yaml", overrides=overrides, in_process=True, runs_folder=runs
    )


def test_pairs_by_a_deadline_are_entangled_on_average_over_all_deadlines(tmp_path: Path) -> None:
    """Humphreys et al. (2018): more than 1/2 every 100 ms, a miss counted as 1/4. 150 deadlines."""
    options = {"nodes.alice.with.fidelities": [0.75], "nodes.alice.with.deadlines": 150}
    of_run = run("link-layer", tmp_path, **options)
    missed = of_run.results["alice"]["missed"]
    delivered = of_run.metrics["alice.delivered.fidelity"]
    assert (1 - missed) * delivered["mean"] + missed / 4 > 0.5
    assert delivered["count"] == round(150 * (1 - missed))
    probability, fidelity = missed_and_delivered(0.75, 0.1, 0.2)
    assert_frequency(round(150 * missed), 150, probability)
    assert_mean(delivered["mean"], delivered["count"], fidelity, delivered["std"])


def missed_and_delivered(fidelity: float, deadline_s: float, decay_s: float) -> tuple[float, float]:
    """How often no pair comes by the deadline; and what the others have then, if coherence so decays."""
    link = (2.8e-4, 4.2e-4, 5e-7, 0.9)
    low, high = 0.01, 0.5
    while high - low > 1e-9:
        alpha = (low + high) / 2
        found = single_click_fidelity(alpha, *link, math.radians(15), 0.04)
        low, high = (alpha, high) if found > fidelity else (low, alpha)
    terms = single_click_terms(low, *link)
    rate_hz = math.fsum(terms) / 5.5e-6
    populations = (terms[1] + terms[2]) / math.fsum(terms) / 2
    missed = math.exp(-rate_hz * deadline_s)
    # The mean of exp(-(deadline - t)/decay) over the times t at which a pair comes, if it comes by then.
    left = (math.exp(-deadline_s / decay_s) - missed) / (1 - 1 / (rate_hz * decay_s)) / (1 - missed)
    return missed, populations + (fidelity - populations) * left


@pytest.mark.parametrize("attempts", [2, 50])
def test_three_nodes_share_what_they_should_where_nothing_errs(
    tmp_path: Path, attempts: int
) -> None:
    overrides = IDEAL | {
        f"links.{link}.quantum.entangle": PERFECT for link in ("alice-bob", "bob-charlie")
    }
    rounds = {f"nodes.{name}.with.rounds": 3 for name in ("alice", "bob", "charlie")}
    of_run = run(
        "nv-three-nodes", tmp_path, **overrides, **rounds, **{"nodes.bob.with.attempts": attempts}
    )
    for name in ("alice.ghz", "bob.ghz", "alice.swapped", "charlie.swapped"):
        assert of_run.metrics[f"{name}.fidelity"]["min"] == pytest.approx(1)
    assert (of_run.metrics["bob.ghz.stored"]["max"] > 1) == (attempts == 2)


def test_each_cardinal_state_is_teleported_where_nothing_errs(tmp_path: Path) -> None:
    overrides = IDEAL | {
        f"links.{link}.quantum.entangle": PERFECT for link in ("alice-bob", "bob-charlie")
    }
    devices: dict[str, Any] = {
        f"nodes.{name}.measurement.error": 0.0 for name in ("bob", "charlie")
    }
    rounds = {f"nodes.{name}.with.rounds": 6 for name in ("alice", "bob", "charlie")}
    of_run = run("nv-teleportation", tmp_path, **overrides, **devices, **rounds)
    assert of_run.metrics["alice.teleported.fidelity"]["count"] == 6
    assert of_run.metrics["alice.teleported.fidelity"]["min"] == pytest.approx(1)
