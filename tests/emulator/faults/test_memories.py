"""Memories that decohere for a while, or are reset: what lies there, what is under way, what comes after."""

from __future__ import annotations

import math

import numpy as np
import pytest

import qnetem.emulator.quantum.plane as plane_module
from qnetem.emulator.faults.changes import NodeChanges
from qnetem.emulator.quantum.formalism import FORMALISMS, Formalism
from qnetem.emulator.topology.model.topology import Gates, Memory
from qnetem.emulator.wire import Allocate, Apply, Discard, Entangle, Measure, Reset, Transmit

from ..quantum.plane_lab import Z_AXIS, Lab, heralding, link, node

MS = 10**6


class Struck:
    hits = 0


def lab(gates: Gates | None = None, t2_ns: int | None = None, **memory: int) -> Lab:
    """Two nodes, pairs a millisecond each over 0 km, gates as told at alice."""
    nodes = [
        node("alice", memory=Memory(t2_ns=t2_ns, **memory), gates=gates),
        node("bob", memory=Memory()),
    ]
    return Lab(nodes, [link("alice", "bob", heralding(attempt_ns=MS))])


def decohering(bench: Lab, begin_ns: int, end_ns: int, t2_ns: int, name: str = "alice") -> None:
    node, fault = bench.plane.fault_histories.nodes[name], Struck()
    bench.at(begin_ns, lambda: node.begin(fault, NodeChanges(dephasing_hz=1e9 / t2_ns)))
    bench.at(end_ns, lambda: node.end(fault))


def resetting(bench: Lab, t_ns: int, name: str = "alice") -> None:
    bench.at(t_ns, lambda: bench.plane.reset_memory(name))


def paired(bench: Lab) -> tuple[str, str]:
    """A pair, heard of a millisecond from now."""
    numbers = bench.issue("alice", Entangle, "bob"), bench.issue("bob", Entangle, "alice")
    bench.run(until_ns=bench.clock.now_ns + MS)
    alice, bob = (
        bench.outcome(n, k).value.qubit for n, k in zip(("alice", "bob"), numbers, strict=True)
    )
    return alice, bob


# --- decohere -------------------------------------------------------------------------------------


@pytest.mark.parametrize("t2_ns", [None, 5 * MS])
@pytest.mark.parametrize("until_ms", [1, 2, 3, 4, 6, 8])
def test_a_half_decoheres_while_it_lasts_and_by_its_own_t2_all_the_time(
    t2_ns: int | None, until_ms: int
) -> None:
    bench = lab(t2_ns=t2_ns)
    decohering(bench, 3 * MS, 6 * MS, 2 * MS)
    half, _ = paired(bench)
    bench.run(until_ms * MS)
    struck_ms = min(max(until_ms - 3, 0), 3)
    exponent = struck_ms / 2 + (0 if t2_ns is None else (until_ms - 1) / 5)
    fidelity = bench.plane.registry.fidelity([half], None, until_ms * MS)
    assert fidelity == pytest.approx((1 + math.exp(-exponent)) / 2, abs=1e-12)


def test_two_at_once_add_their_rates() -> None:
    bench = lab()
    decohering(bench, 2 * MS, 6 * MS, 2 * MS)
    decohering(bench, 4 * MS, 6 * MS, 4 * MS)
    half, _ = paired(bench)
    bench.run()
    fidelity = bench.plane.registry.fidelity([half], None, 9 * MS)
    assert fidelity == pytest.approx((1 + math.exp(-(4 / 2 + 2 / 4))) / 2, abs=1e-12)


def test_the_other_end_is_left_alone() -> None:
    bench = lab()
    decohering(bench, 2 * MS, 6 * MS, MS, "bob")
    bench.issue("alice", Allocate)
    bench.run()
    bench.issue("alice", Apply, "h", ["alice#1"])
    bench.run()
    plus = [1, 1]
    assert bench.plane.registry.fidelity(["alice#1"], plus, 9 * MS) == pytest.approx(1.0)


def test_a_gate_that_is_under_way_as_it_begins_runs_on() -> None:
    bench = lab(Gates(single_ns=4 * MS))
    half, _ = paired(bench)
    number = bench.issue("alice", Apply, "z", [half])  # from 1 to 5 ms
    decohering(bench, 3 * MS, 4 * MS, 2 * MS)
    bench.run()
    assert bench.outcome("alice", number).t_ns == 5 * MS
    phi_minus = [1, 0, 0, -1]
    fidelity = bench.plane.registry.fidelity([half, "alice-bob#1@bob"], phi_minus, 9 * MS)
    assert fidelity == pytest.approx((1 + math.exp(-1 / 2)) / 2, abs=1e-12)


@pytest.mark.parametrize("name", FORMALISMS)
def test_every_formalism_carries_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(plane_module, "formalism_of", lambda *_: Formalism(name))
    found = []
    for seed in range(200 if name == "stabilizer" else 1):
        nodes = [node(each, memory=Memory()) for each in ("alice", "bob")]
        bench = Lab(nodes, [link("alice", "bob", heralding(attempt_ns=MS))], seed)
        decohering(bench, 2 * MS, 4 * MS, 2 * MS)
        half, _ = paired(bench)
        bench.run()
        bench.clock.now_ns = 5 * MS
        bench.do("alice", Apply, "x", [half])  # a touch, so that a trajectory has made up its mind
        found.append(bench.plane.registry.fidelity([half, "alice-bob#1@bob"], [0, 1, 1, 0], 5 * MS))
    expected = (1 + math.exp(-1)) / 2
    sigma = math.sqrt(expected * (1 - expected) / len(found)) if len(found) > 1 else 1e-12
    assert abs(np.mean(found) - expected) < 3 * sigma


# --- memory_reset ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMALISMS)
def test_a_half_becomes_zero_and_its_partner_mixed(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(plane_module, "formalism_of", lambda *_: Formalism(name))
    ones = 0
    for seed in range(60):
        nodes = [node(each, memory=Memory()) for each in ("alice", "bob")]
        bench = Lab(nodes, [link("alice", "bob", heralding(attempt_ns=MS))], seed)
        resetting(bench, 2 * MS)
        half, other = paired(bench)
        bench.run()
        assert bench.do("alice", Measure, half, Z_AXIS).value == 0, "the handle is as good as ever"
        ones += bench.do("bob", Measure, other, Z_AXIS).value
        assert bench.plane.at_end() == {}
    assert abs(ones - 30) < 3 * math.sqrt(15)


def test_everything_in_the_memory_is_struck_and_counted_and_nothing_elsewhere() -> None:
    bench = lab()
    paired(bench)
    for _ in range(2):
        qubit = bench.qubit("alice")
        bench.do("alice", Apply, "x", [qubit])
    bench.do("bob", Apply, "x", [bench.qubit("bob")])
    assert bench.plane.reset_memory("alice") == 3
    now_ns, registry = bench.clock.now_ns, bench.plane.registry
    for qubit in registry.held_by("alice"):
        assert registry.fidelity([qubit], [1, 0], now_ns) == pytest.approx(1.0)
    assert registry.fidelity(["bob#1"], [0, 1], now_ns) == pytest.approx(1.0)


def test_a_gate_that_is_under_way_acts_on_zero_and_what_waits_behind_it_follows() -> None:
    bench = lab(Gates(single_ns=4 * MS))
    qubit = bench.qubit("alice")
    numbers = [bench.issue("alice", Apply, "x", [qubit]) for _ in range(2)]
    numbers.append(bench.issue("alice", Apply, "h", [qubit]))
    resetting(bench, 6 * MS)  # in the second x: |1> is |0> again, then x makes |1> of it
    bench.run()
    assert [bench.outcome("alice", n).t_ns for n in numbers] == [4 * MS, 8 * MS, 12 * MS]
    minus = [1, -1]
    assert bench.plane.registry.fidelity([qubit], minus, 12 * MS) == pytest.approx(1.0)


def test_a_two_qubit_gate_under_way_acts_on_zeros_though_all_decays() -> None:
    """The reset touches qubits after the gate has begun: nothing is asked of a time before that."""
    bench = lab(Gates(two_ns=4 * MS), t2_ns=3 * MS)
    half, other = paired(bench)
    qubit = bench.qubit("alice")
    bench.issue("alice", Apply, "cx", [half, qubit])
    resetting(bench, 3 * MS)
    bench.run()
    registry = bench.plane.registry
    assert registry.fidelity([half, qubit], [1, 0, 0, 0], 9 * MS) == pytest.approx(1.0)
    assert registry.fidelity([other], [1, 0], 9 * MS) == pytest.approx(0.5)


def test_a_half_that_was_emitted_before_is_struck_though_no_node_had_heard_of_it() -> None:
    for reset_ns, expected in ((201_000, 0.25), (205_000, 0.25), (102_000, 1.0)):
        quantum = heralding(attempt_ns=210_000, length_km=20.0)
        bench = Lab([node("alice"), node("bob")], [link("alice", "bob", quantum)])
        emitted_ns = bench.plane.heralded_links.by_name["alice-bob"].source.timing.emission_ns
        assert 102_000 < emitted_ns < 201_000
        resetting(bench, reset_ns)
        numbers = bench.issue("alice", Entangle, "bob"), bench.issue("bob", Entangle, "alice")
        bench.run()
        half = bench.outcome("alice", numbers[0]).value.qubit
        fidelity = bench.plane.registry.fidelity([half], None, 210_000)
        assert fidelity == pytest.approx(expected, abs=1e-12)


def test_a_cut_off_goes_by_the_age_that_the_memory_knows_of() -> None:
    bench = lab(cutoff_ns=5 * MS)
    half, _ = paired(bench)
    resetting(bench, 3 * MS)
    bench.run()
    assert bench.plane.expired == [("alice", half)]
    assert bench.clock.now_ns == 6 * MS


def test_what_comes_later_is_as_good_as_ever() -> None:
    bench = lab()
    resetting(bench, MS // 2)
    half, _ = paired(bench)
    assert bench.plane.registry.fidelity([half], None, MS) == pytest.approx(1.0)
    bench.do("alice", Discard, [half])


def test_an_initialisation_that_is_under_way_ends_as_it_would() -> None:
    bench = lab(Gates(single_ns=MS))
    qubit = bench.qubit("alice")
    bench.do("alice", Apply, "x", [qubit])
    number = bench.issue("alice", Reset, qubit)
    resetting(bench, bench.clock.now_ns + 1)
    bench.run()
    assert bench.outcome("alice", number).error is None


def test_a_qubit_that_has_left_is_not_struck() -> None:
    quantum = heralding(attempt_ns=MS, length_km=20.0)
    bench = Lab(
        [node("alice"), node("bob")],
        [link("alice", "bob", quantum.model_copy(update={"attenuation_db_per_km": 0.0}))],
    )
    qubit = bench.qubit("alice")
    bench.do("alice", Apply, "x", [qubit])
    bench.issue("alice", Transmit, qubit, "bob")
    bench.run(until_ns=bench.clock.now_ns)
    assert bench.plane.reset_memory("alice") == 0
    bench.run()
    assert bench.do("bob", Measure, qubit, Z_AXIS).value == 1
