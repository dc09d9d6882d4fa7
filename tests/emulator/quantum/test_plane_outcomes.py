"""Outcomes in blocks: distributed as those of pairs that are measured one by one, and ended by the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.topology.model.entangle import DetectionSpec, EntangleSpec
from qnetem.emulator.topology.model.topology import Measurement, Memory, Quantum
from qnetem.emulator.wire import Entangle, Measure, MeasuredPairs, MeasurePairs
from qnetem.emulator.wire.bit_planes import packed, unpacked

from .plane_lab import Lab, heralding, link, node

AXES = [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.6, 0.0, 0.8)]
LONG_NS = 10**15
#: A pair that is no Bell-diagonal state, in memories that relax, read out with errors.
ASYMMETRIC = Quantum(
    length_km=2.0,
    entangle=EntangleSpec(
        kind="single_click",
        alpha=0.3,
        station=0.3,
        detection=DetectionSpec(first=0.5, second=0.3),
        visibility=0.8,
    ),
)


def lab(quantum: Quantum, seed: int = 1, **more: Any) -> Lab:
    memories = Memory(t1_ns=60_000, t2_ns=40_000), Memory(t2_ns=90_000)
    readout = Measurement(duration_ns=700, error=0.04)
    nodes = [
        node(name, memory=memory, measurement=readout)
        for name, memory in zip(("alice", "bob"), memories, strict=True)
    ]
    return Lab(nodes, [link("alice", "bob", quantum)], seed, **more)


def ask(bench: Lab, count: int, bases: Any = None, longest_ns: int = LONG_NS, **how: Any) -> Any:
    """Both ends ask for a block; returns the numbers of their operations."""
    columns = [np.zeros(count, np.uint8)] * 2 if bases is None else bases
    purpose, alpha = how.get("purpose", ""), how.get("alpha")
    return [
        bench.issue(
            name,
            MeasurePairs,
            peer,
            None,
            purpose,
            alpha,
            count,
            AXES,
            packed(column, 2),
            longest_ns,
        )
        for name, peer, column in zip(("alice", "bob"), ("bob", "alice"), columns, strict=True)
    ]


def bits(found: MeasuredPairs) -> Any:
    return unpacked(found.bits, found.count)


def results(bench: Lab, numbers: Any) -> list[MeasuredPairs]:
    return [bench.outcome(n, i).value for n, i in zip(("alice", "bob"), numbers, strict=True)]


def one_by_one(bench: Lab, bases: Any) -> tuple[Any, Any]:
    """The outcomes of pairs that are awaited and measured one after the other."""
    found: list[list[int]] = [[], []]
    for settings in zip(*bases, strict=True):
        asked = [bench.issue("alice", Entangle, "bob"), bench.issue("bob", Entangle, "alice")]
        measured = {}
        while len(measured) < 2:
            assert bench.step()
            for side, name in enumerate(("alice", "bob")):
                if side not in measured and bench.has_ended(name, asked[side]):
                    half = bench.outcome(name, asked[side]).value.qubit
                    measured[side] = bench.issue(name, Measure, half, AXES[settings[side]])
        bench.run()
        for side, name in enumerate(("alice", "bob")):
            found[side].append(bench.outcome(name, measured[side]).value)
    return np.array(found[0]), np.array(found[1])


def histogram(bases: Any, outcomes: Any) -> Any:
    """How often each combination of two settings and two outcomes came up."""
    settings = np.asarray(bases[0]) * len(AXES) + np.asarray(bases[1])
    return np.bincount(settings * 4 + outcomes[0] * 2 + outcomes[1], minlength=4 * len(AXES) ** 2)


def test_a_block_is_distributed_as_pairs_measured_one_by_one() -> None:
    """Chi square of two samples, per combination of settings: 27 degrees of freedom, 5 sigma."""
    rng = np.random.default_rng(7)
    few, many = (rng.integers(0, 3, (2, n)).astype(np.uint8) for n in (2700, 200_000))
    single = histogram(few, one_by_one(lab(ASYMMETRIC), few))
    bench = lab(ASYMMETRIC, seed=2)
    numbers = ask(bench, 200_000, many)
    bench.run()
    block = histogram(many, [bits(found) for found in results(bench, numbers)])
    shares = block.reshape(9, 4) / block.reshape(9, 4).sum(axis=1, keepdims=True)
    expected = single.reshape(9, 4).sum(axis=1, keepdims=True) * shares
    chi_square = float(((single.reshape(9, 4) - expected) ** 2 / expected).sum())
    assert chi_square < 27 + 5 * math.sqrt(2 * 27)
    # What it could not miss: halves that had not decayed, or no readout errors.
    assert abs(shares[0, 0] + shares[0, 3] - 0.5) > 0.1


def test_a_block_takes_the_time_of_its_pairs() -> None:
    count, success = 20_000, 0.2
    bench = lab(heralding(success=success, attempt_ns=1000))
    numbers = ask(bench, count)
    bench.run()
    mean_ns = 1000 / success
    spread_ns = 1000 * math.sqrt(count * (1 - success)) / success
    assert bench.outcome("alice", numbers[0]).t_ns == pytest.approx(
        count * mean_ns + 700, abs=4 * spread_ns
    )
    assert bench.metrics.counts["links.alice-bob.pairs"] == count
    assert bench.plane.slots_used("alice") == bench.plane.slots_used("bob") == 0


def test_a_block_ends_when_its_time_is_over() -> None:
    bench = lab(heralding(success=0.5, attempt_ns=1000))
    numbers = ask(bench, 10_000, longest_ns=1_000_000)
    bench.run()
    mine, yours = results(bench, numbers)
    assert mine.count == yours.count == pytest.approx(500, abs=80)
    assert bench.outcome("alice", numbers[0]).t_ns == 1_000_700
    assert (bits(mine) == bits(yours)).mean() > 0.85


def test_a_link_that_never_succeeds_gives_none_after_that_time() -> None:
    bench = lab(heralding(success=0.0))
    numbers = ask(bench, 10, longest_ns=5000)
    bench.run()
    assert [found.count for found in results(bench, numbers)] == [0, 0]


def test_a_cut_ends_the_block_with_what_has_been_heard_of() -> None:
    bench = lab(heralding(success=1.0, attempt_ns=1000))
    numbers = ask(bench, 100)
    bench.at(10_500, lambda: bench.plane.cut("alice-bob"))
    bench.run()
    assert [found.count for found in results(bench, numbers)] == [10, 10]


def test_an_end_that_leaves_ends_the_block_of_the_other_no_sooner_than_light() -> None:
    quantum = heralding(success=1.0, attempt_ns=100_000, length_km=20.0)
    bench = lab(quantum)
    mine, yours = ask(bench, 100)
    bench.later(1_050_000, lambda: bench.plane.withdraw("alice", mine))
    bench.run()
    left = bench.outcome("bob", yours)
    assert left.value.count == 11
    assert left.t_ns >= 1_050_000 + 97_000
    assert bench.plane.slots_used("alice") == bench.plane.slots_used("bob") == 0


def test_a_killed_end_leaves_the_other_its_outcomes() -> None:
    bench = lab(heralding(success=1.0, attempt_ns=1000))
    _, yours = ask(bench, 100)
    bench.at(10_500, lambda: bench.kill("alice"))
    bench.run()
    assert bench.outcome("bob", yours).value.count in (10, 11)


def test_the_next_request_waits_for_the_block() -> None:
    bench = lab(heralding(success=1.0, attempt_ns=1000))
    ask(bench, 10)
    pair = [bench.issue("alice", Entangle, "bob"), bench.issue("bob", Entangle, "alice")]
    bench.run()
    assert bench.outcome("alice", pair[0]).t_ns >= 10_000 + 1000


def test_only_blocks_of_one_purpose_match() -> None:
    bench = lab(heralding(success=1.0))
    mine = bench.issue("alice", MeasurePairs, "bob", None, "a", None, 4, AXES[:1], b"", LONG_NS)
    bench.issue("bob", MeasurePairs, "alice", None, "b", None, 4, AXES[:1], b"", LONG_NS)
    bench.run()
    assert "bob has not asked for one" in bench.plane.pending("alice")[0][1]
    bench.plane.withdraw("alice", mine)
    assert bench.plane.slots_used("alice") == 0


@pytest.mark.parametrize(
    ("settings", "arguments", "problem"),
    [
        ({}, (0, AXES[:1], b""), "0 pairs and 0 bytes"),
        ({}, (9, AXES[:2], b"x"), "9 pairs and 1 bytes"),
        ({}, (8, [(2.0, 0.0, 0.0)], b""), "expected a vector of length 1"),
        ({"formalism": "stabilizer"}, (8, AXES[:1], b""), "need formalism auto or density_matrix"),
    ],
)
def test_a_block_that_cannot_be_is_refused(settings: Any, arguments: Any, problem: str) -> None:
    nodes = [node("alice"), node("bob")]
    bench = Lab(nodes, [link("alice", "bob", heralding())], **settings)
    count, axes, bases = arguments
    number = bench.issue("alice", MeasurePairs, "bob", None, "", None, count, axes, bases, LONG_NS)
    bench.run()
    assert problem in str(bench.outcome("alice", number).error)
