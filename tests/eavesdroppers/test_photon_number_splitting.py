"""Photon-number splitting: no error and no key without decoys; with decoys their gains give it away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem.agents.protocols.qkd.processing.estimation import Counts, Epsilons, of_pulses
from qnetem.closed_forms import several_photons

TOPOLOGIES = Path(__file__).parents[2] / "topologies" / "eve"


def bobs(name: str, folder: Path, **changes: Any) -> Any:
    """What bob has of a topology of that name; `overrides` may leave the eavesdropper out."""
    path = TOPOLOGIES / f"{name}.yaml"
    run = qnetem.run(path, runs_folder=folder, in_process=True, **changes)
    assert run.problem is None
    return run.results["bob"]


def test_without_decoys_the_qber_stays_and_accounting_leaves_no_key(tmp_path: Path) -> None:
    found = bobs("photon-number-splitting", tmp_path)
    in_x = found["by_basis"]["X"]
    counts = Counts(
        kept=found["by_basis"]["Z"]["sifted"], compared=in_x["compared"], errors=in_x["errors"]
    )
    # Only pulses that both ends prepared and measured in one basis are counted: the least there were.
    each = found["pulses"] // 4
    several = several_photons(0.5)
    estimate = of_pulses(
        counts, 0.0, Epsilons(1e-6, 1e-12), key_pulses=each, check_pulses=each, several=several
    )
    assert estimate.qber == pytest.approx(0.02, abs=0.006)
    assert (estimate.length, estimate.single) == (0, 0)


def test_with_decoys_there_is_a_key_until_pulses_are_split(tmp_path: Path) -> None:
    # The topology itself shows that no key is left.
    found = bobs("photon-number-splitting-decoys", tmp_path, overrides={"faults": []})
    assert found["signal"]["qber"] == pytest.approx(0.01, abs=0.002)
    assert found["key"]["length"] > 3000
