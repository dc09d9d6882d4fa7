"""What a repeater cannot act on does not wake it, and that changes nothing but how often it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qnetem.emulator.quantum.operations.table import ROWS
from qnetem.emulator.topology.model.entangle import EntangleSpec
from qnetem.emulator.topology.model.topology import BellMeasurement, Gates
from qnetem.emulator.wire import Entangle, Join

from ... import harness
from . import networks
from .networks import DUMBBELL, asking, chain, ends, run, taking


def both(
    monkeypatch: pytest.MonkeyPatch, *args: Any, **how: Any
) -> tuple[harness.Run, harness.Run]:
    """A run, and the same with every result waking its node."""
    quiet = run(*args, **how)
    for kind in (Entangle, Join):
        monkeypatch.setitem(ROWS, kind, replace(ROWS[kind], quiet=None))
    return quiet, run(*args, **how)


def grants(of_run: harness.Run) -> int:
    return sum(left.grants for left in of_run.outcome.left.values())


@pytest.mark.parametrize("processing", ["0 s", "100 us", "30 us"])
@pytest.mark.parametrize("hops", [2, 3, 6])
def test_pairs_are_the_same_at_the_same_time_as_with_all_results_at_once(
    hops: int, processing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"success": 0.3, "fidelity": 0.95, "processing": processing, "hello": "10 s"}
    quiet, loud = both(monkeypatch, chain(hops), ends(30), **how)
    assert quiet.results == loud.results
    assert quiet.outcome.digest == loud.outcome.digest
    assert grants(quiet) < grants(loud)


@pytest.mark.parametrize(
    "devices",
    [
        {"bell_measurement": BellMeasurement(success=0.6)},
        {"gates": Gates(two_ns=30_000, two_error=0.01)},
    ],
    ids=["joins that fail", "joins that take time"],
)
def test_neither_joins_that_fail_nor_joins_that_take_time_are_later_for_it(
    devices: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet, loud = both(monkeypatch, chain(4), ends(20), success=0.3, devices=devices, hello="10 s")
    assert quiet.results == loud.results


@pytest.mark.parametrize("latency_ns", [1000, 100_000], ids=["faster than light", "as light"])
def test_a_track_that_waits_for_its_half_has_it_at_once(
    latency_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The station of the last link is near r1: bob hears later, of some halves after their tracks."""
    monkeypatch.setattr(networks, "LATENCY_NS", latency_ns)
    aside = EntangleSpec(
        kind="double_click",
        station=0.2,
        detection={"first": 0.9, "second": 0.9},
        visibility=0.9,
    )
    entangle = {("r1", "bob"): aside}
    quiet, loud = both(monkeypatch, chain(2), ends(20), entangle=entangle, hello="10 s")
    assert quiet.results == loud.results
    assert grants(quiet) < grants(loud)


def test_circuits_that_share_a_link_with_others_are_served_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs = {
        "a1": asking("b1", 20),
        "b1": taking("a1", 20),
        "a2": asking("b2", 20, priority=1),
        "b2": taking("a2", 20),
    }
    quiet, loud = both(monkeypatch, DUMBBELL, programs, success=0.3, hello="10 s")
    assert quiet.results == loud.results


def test_a_repeater_runs_for_the_second_half_of_a_join_and_for_its_track() -> None:
    """Four results and messages a pair: two heralds, an outcome, a track."""
    few, many = (run(chain(2), ends(count), success=0.02, hello="10 s") for count in (20, 120))
    more = many.outcome.left["r1"].grants - few.outcome.left["r1"].grants
    assert more <= 2.7 * 100
