from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from qnetem.emulator import closed_forms
from qnetem.emulator.devices.memory import MemoryDecay
from qnetem.emulator.errors import InternalError, OperationError, QubitError, RegisterTooLarge
from qnetem.emulator.quantum.node import registry
from qnetem.emulator.quantum.node.registry import Registry
from qnetem.emulator.states import gates, noise
from qnetem.emulator.states.states import bell_density, bell_vector, werner

from ...states.plain import CLOSE, ghz

X = (1.0, 0.0, 0.0)
Z = (0.0, 0.0, 1.0)
MS = 1_000_000
ALMOST_ONE = 1 - 2**-53
MEMORY = MemoryDecay(1000 * MS, 50 * MS)


def lossless() -> Registry:
    return Registry(lambda holder: None)


def decaying(*holders: str) -> Registry:
    return Registry(lambda holder: MEMORY if holder in holders else None)


def with_pair(qubits: Registry, fidelity: float = 1.0, emitted_ns: int = 0) -> Registry:
    qubits.create_pair("a", "alice", "b", "bob", werner(fidelity), emitted_ns)
    return qubits


def with_ghz(qubits: Registry, names: Sequence[str]) -> Registry:
    for name in names:
        qubits.allocate(name, "alice", 0)
    qubits.apply_gate("h", 0.0, [names[0]], 0)
    for left, right in pairwise(names):
        qubits.apply_gate("cx", 0.0, [left, right], 0)
    return qubits


# --- entanglement and its use -------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [X, Z])
@pytest.mark.parametrize("u", [0.2, 0.8])
def test_halves_of_phi_plus_agree(axis: tuple[float, float, float], u: float) -> None:
    qubits = with_pair(lossless())
    first = qubits.measure("a", axis, u, 0)
    assert [qubits.measure("b", axis, other, 0, keep=True) for other in (0.0, 0.9)] == [first] * 2


@pytest.mark.parametrize("u1", [0.2, 0.8])
@pytest.mark.parametrize("u2", [0.2, 0.8])
def test_a_join_leaves_the_far_halves_in_the_announced_bell_state(u1: float, u2: float) -> None:
    qubits = lossless()
    qubits.create_pair("a", "alice", "r1", "repeater", bell_density(0), 0)
    qubits.create_pair("r2", "repeater", "b", "bob", bell_density(0), 0)
    z, x = qubits.bell_measure("r1", "r2", u1, u2, 0)
    assert (z, x) == (int(u1 > 0.5), int(u2 > 0.5))
    assert qubits.fidelity(["a", "b"], bell_vector(z << 1 | x), 0) == pytest.approx(1.0, abs=CLOSE)
    if x:
        qubits.apply_gate("x", 0.0, ["b"], 0)
    if z:
        qubits.apply_gate("z", 0.0, ["b"], 0)
    assert qubits.fidelity(["a"], None, 0) == pytest.approx(1.0, abs=CLOSE)
    assert (qubits.partner("a"), qubits.held_by("repeater")) == ("b", [])


@pytest.mark.parametrize("u1", [0.2, 0.8])
@pytest.mark.parametrize("u2", [0.2, 0.8])
def test_teleportation_carries_a_state_over(u1: float, u2: float) -> None:
    qubits = with_pair(lossless())
    qubits.allocate("psi", "alice", 0)
    qubits.apply_gate("ry", 0.7, ["psi"], 0)
    qubits.apply_gate("rz", 0.4, ["psi"], 0)
    z, x = qubits.bell_measure("psi", "a", u1, u2, 0)
    for gate in ["x"] * x + ["z"] * z:
        qubits.apply_gate(gate, 0.0, ["b"], 0)
    target = gates.unitary("rz", 0.4) @ gates.unitary("ry", 0.7)
    assert qubits.fidelity(["b"], target[:, 0], 0) == pytest.approx(1.0, abs=CLOSE)


@pytest.mark.parametrize(
    ("fidelities", "expected"), [((0.9, 0.9), 0.813333), ((0.8, 0.95), 0.763333)]
)
def test_joined_werner_pairs_come_out_as_in_the_literature(
    fidelities: tuple[float, float], expected: float
) -> None:
    qubits = lossless()
    qubits.create_pair("a", "alice", "r1", "repeater", werner(fidelities[0]), 0)
    qubits.create_pair("r2", "repeater", "b", "bob", werner(fidelities[1]), 0)
    z, x = qubits.bell_measure("r1", "r2", 0.9, 0.1, 0)
    joined = qubits.fidelity(["a", "b"], bell_vector(z << 1 | x), 0)
    assert joined == pytest.approx(expected, abs=5e-7)


def test_a_chain_of_eight_pairs_comes_out_as_in_the_literature() -> None:
    qubits, rng, bell = lossless(), np.random.default_rng(1), 0
    qubits.create_pair("end", "n0", "right0", "n1", werner(0.98), 0)
    for i in range(1, 8):
        qubits.create_pair(f"left{i}", f"n{i}", f"right{i}", f"n{i + 1}", werner(0.98), 0)
        z, x = qubits.bell_measure(f"right{i - 1}", f"left{i}", rng.random(), rng.random(), 0)
        bell ^= z << 1 | x
    fidelity = qubits.fidelity(["end", "right7"], bell_vector(bell), 0)
    assert fidelity == pytest.approx(0.854163, abs=5e-7)
    assert fidelity == pytest.approx(closed_forms.werner_chain(0.98, 8), abs=CLOSE)


def test_six_nodes_share_a_ghz_state() -> None:
    names = [f"q{i}" for i in range(6)]
    qubits = with_ghz(lossless(), names)
    assert qubits.size("q3") == 6
    assert qubits.fidelity(names, ghz(6), 0) == pytest.approx(1.0, abs=CLOSE)
    first = qubits.measure("q0", Z, 0.7, 0)
    assert [qubits.measure(name, Z, 0.0, 0) for name in names[1:]] == [first] * 5
    assert len(qubits) == 0


# --- decay --------------------------------------------------------------------------------------------


def test_a_stored_half_decays_and_a_flying_one_does_not() -> None:
    qubits = decaying("alice")
    qubits.create_pair("a", "alice", "b", "", werner(1.0), 0)
    assert qubits.fidelity(["a"], None, 10 * MS) == pytest.approx(0.906878, abs=5e-7)
    assert qubits.fidelity(["b", "a"], None, 10 * MS) == pytest.approx(0.906878, abs=5e-7)


def test_no_memory_is_asked_about_a_flying_qubit() -> None:
    asked: list[str] = []
    qubits = with_pair(Registry(asked.append))
    qubits.lift("a", 0, "sent to carol")
    qubits.fidelity(["a"], None, 5)
    qubits.land("a", "carol", 10)
    qubits.measure("a", Z, 0.5, 12)
    assert asked == ["bob", "carol"]


def test_a_pair_decays_from_its_emission_on() -> None:
    qubits = with_pair(decaying("alice"), emitted_ns=5 * MS)
    assert qubits.born_ns("a") == 5 * MS
    assert qubits.fidelity(["a"], None, 15 * MS) == pytest.approx(0.906878, abs=5e-7)


def test_decay_adds_up_however_often_a_qubit_is_touched() -> None:
    often, once = with_pair(decaying("alice", "bob")), with_pair(decaying("alice", "bob"))
    for step in range(1, 11):
        often.apply_gate("rz", 0.0, ["a" if step % 2 else "b"], step * MS)
    assert often.fidelity(["a"], None, 10 * MS) == pytest.approx(
        once.fidelity(["a"], None, 10 * MS), abs=CLOSE
    )


def test_both_stored_halves_decay_by_the_closed_form() -> None:
    memory = MemoryDecay(None, 50 * MS)
    qubits = with_pair(Registry(lambda holder: memory))
    expected = closed_forms.dephased_phi_plus(10, 50, qubits=2)
    assert qubits.fidelity(["a"], None, 10 * MS) == pytest.approx(expected, abs=CLOSE)


def test_a_qubit_decays_only_where_and_while_it_lies_in_a_memory() -> None:
    qubits = with_pair(decaying("alice", "carol"))
    qubits.lift("a", 3 * MS, "sent to carol")
    qubits.land("a", "carol", 500 * MS)
    expected = closed_forms.stored_phi_plus(10, 1000, 50)
    assert qubits.fidelity(["a"], None, 507 * MS) == pytest.approx(expected, abs=CLOSE)


def test_decay_comes_before_the_operation_that_finds_it() -> None:
    qubits = Registry(lambda holder: MemoryDecay(10 * MS, None))
    qubits.allocate("q", "alice", 0)
    qubits.apply_gate("x", 0.0, ["q"], 0)
    qubits.apply_gate("x", 0.0, ["q"], 10 * MS)
    survived = math.exp(-1)
    assert qubits.state(["q"], 10 * MS).full()[0, 0].real == pytest.approx(survived, abs=CLOSE)


def test_measuring_finds_the_decayed_state() -> None:
    for u, expected in ((math.exp(-1) - 1e-9, 0), (math.exp(-1) + 1e-9, 1)):
        qubits = Registry(lambda holder: MemoryDecay(10 * MS, None))
        qubits.allocate("q", "alice", 0)
        qubits.apply_gate("x", 0.0, ["q"], 0)
        # Along -z, outcome 0 is |1>, of which exp(-1) is left.
        assert qubits.measure("q", (0.0, 0.0, -1.0), u, 10 * MS) == expected


def test_a_bell_measurement_finds_the_decayed_pairs() -> None:
    memory = MemoryDecay(None, 50 * MS)
    qubits = Registry(lambda holder: memory if holder == "repeater" else None)
    qubits.create_pair("a", "alice", "r1", "repeater", werner(1.0), 0)
    qubits.create_pair("r2", "repeater", "b", "bob", werner(1.0), 6 * MS)
    z, x = qubits.bell_measure("r1", "r2", 0.7, 0.2, 10 * MS)
    fidelity = qubits.fidelity(["a", "b"], bell_vector(z << 1 | x), 12 * MS)
    # One half was stored for 10 ms, the other for 4 ms; dephasing of both adds up.
    assert fidelity == pytest.approx(closed_forms.dephased_phi_plus(14, 50), abs=CLOSE)


def test_looking_changes_nothing() -> None:
    watched, alone = with_pair(decaying("alice", "bob")), with_pair(decaying("alice", "bob"))
    for time_ns in range(MS, 10 * MS, MS):
        watched.fidelity(["a"], None, time_ns)
        watched.state(["b"], time_ns)
    left, right = watched.state(["a", "b"], 10 * MS), alone.state(["a", "b"], 10 * MS)
    assert np.array_equal(left.full(), right.full())
    assert watched.size("a") == 2


def test_time_does_not_run_backwards_for_a_qubit() -> None:
    qubits = with_pair(lossless(), emitted_ns=10)
    with pytest.raises(InternalError, match="qubit a was touched at 10 ns"):
        qubits.apply_gate("x", 0.0, ["a"], 9)


# --- who holds what -----------------------------------------------------------------------------------


def test_every_qubit_is_in_one_place() -> None:
    qubits = with_pair(lossless())
    assert [qubits.holder_of(name) for name in ("a", "b", "c")] == ["alice", "bob", None]
    qubits.lift("a", 5, "sent to bob")
    assert (qubits.holder_of("a"), qubits.held_by("alice")) == ("", [])
    qubits.land("a", "bob", 9)
    assert (qubits.holder_of("a"), qubits.held_by("bob")) == ("bob", ["a", "b"])


def test_qubits_are_listed_in_the_order_of_their_creation() -> None:
    qubits = lossless()
    for name in ("c", "a", "b"):
        qubits.allocate(name, "alice", 0)
    qubits.lift("c", 1, "sent to alice")
    qubits.land("c", "alice", 2)
    assert qubits.held_by("alice") == ["c", "a", "b"]


def refused(qubits: Registry, node: str, qubit: str) -> dict[str, object]:
    with pytest.raises(QubitError) as refusal:
        qubits.require(node, [qubit])
    return dict(refusal.value.fields)


UNKNOWN = "it never was here, or is long gone"


def test_a_node_is_told_how_the_qubit_it_asks_for_left_it_and_nothing_since() -> None:
    """Where it is now, whether it arrived, and what was done to it there: light has to bring that."""
    qubits = with_pair(lossless())
    qubits.require("alice", ["a"])
    told = {"qubit": "a", "node": "alice", "why": "sent to bob at 3 ms"}
    qubits.lift("a", 3 * MS, "sent to bob")
    assert refused(qubits, "alice", "a") == told
    qubits.land("a", "bob", 4 * MS)
    assert refused(qubits, "alice", "a") == told
    qubits.measure("a", Z, 0.5, 5 * MS)
    assert refused(qubits, "alice", "a") == told
    assert refused(qubits, "bob", "a")["why"] == "measured at 5 ms"


def test_of_a_qubit_that_it_never_held_a_node_is_told_nothing() -> None:
    qubits = with_pair(lossless())
    told = {"qubit": "b", "node": "alice", "why": UNKNOWN}
    with pytest.raises(QubitError, match=r"qubit b is not held by alice \(it never was here"):
        qubits.require("alice", ["a", "b"])
    assert refused(qubits, "alice", "b") == told
    qubits.discard(["b"], "discarded", 5 * MS)
    assert refused(qubits, "alice", "b") == told


def test_a_gone_qubit_is_remembered_with_how_it_went() -> None:
    qubits = with_pair(lossless())
    qubits.measure("a", Z, 0.5, 1_200_000)
    qubits.discard(["b"], "lost in alice-bob", 5 * MS)
    for node, name, why in (
        ("alice", "a", "measured at 1.2 ms"),
        ("bob", "b", "lost in alice-bob at 5 ms"),
        ("alice", "c", UNKNOWN),
    ):
        assert refused(qubits, node, name) == {"qubit": name, "node": node, "why": why}
        with pytest.raises(QubitError):
            qubits.measure(name, Z, 0.5, 6 * MS)


def test_memory_of_the_gone_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAX_REMEMBERED", 2)
    qubits = lossless()
    for name in ("a", "b", "c"):
        qubits.allocate(name, "alice", 0)
        qubits.discard([name], "discarded", 0)
    with pytest.raises(QubitError, match="long gone"):
        qubits.require("alice", ["a"])
    with pytest.raises(QubitError, match="discarded at 0 ns"):
        qubits.require("alice", ["b"])


def test_a_name_in_use_is_not_given_twice() -> None:
    qubits = with_pair(lossless())
    with pytest.raises(InternalError, match="qubit b already"):
        qubits.create_pair("c", "alice", "b", "bob", werner(1.0), 0)
    assert (len(qubits), qubits.holder_of("c")) == (2, None)


# --- leaving a joint state ----------------------------------------------------------------------------


def test_a_kept_qubit_leaves_its_joint_state_at_the_measurement() -> None:
    qubits = with_ghz(lossless(), ["p", "q", "r"])
    outcome = qubits.measure("q", X, 0.9, 0, keep=True)
    assert (outcome, qubits.size("q"), qubits.size("p")) == (1, 1, 2)
    assert qubits.measure("q", X, 0.0, 0, keep=True) == 1
    assert qubits.fidelity(["p", "r"], bell_vector(2), 0) == pytest.approx(1.0, abs=CLOSE)


def test_a_kept_qubit_decays_from_the_measurement_on() -> None:
    qubits = with_pair(Registry(lambda holder: MemoryDecay(10 * MS, None)))
    qubits.measure("a", Z, ALMOST_ONE, 0, keep=True)
    assert qubits.state(["a"], 10 * MS).full()[1, 1].real == pytest.approx(math.exp(-1), abs=CLOSE)


def test_a_reset_qubit_is_zero_and_its_partner_is_mixed() -> None:
    qubits = with_pair(decaying("alice"))
    qubits.reset("a", 7 * MS)
    assert qubits.size("a") == qubits.size("b") == 1
    assert qubits.fidelity(["a"], [1, 0], 7 * MS) == pytest.approx(1.0, abs=CLOSE)
    assert qubits.fidelity(["b"], [1, 0], 7 * MS) == pytest.approx(0.5, abs=CLOSE)


def test_a_reset_qubit_owes_no_decay_from_before() -> None:
    class Scrambling:
        def between(self, from_ns: int, to_ns: int) -> noise.Superoperator:
            return noise.depolarising(1.0)

    qubits = Registry(lambda holder: Scrambling())
    qubits.allocate("q", "alice", 0)
    qubits.reset("q", 5)
    assert qubits.fidelity(["q"], [1, 0], 5) == pytest.approx(1.0, abs=CLOSE)
    assert qubits.fidelity(["q"], [1, 0], 6) == pytest.approx(0.5, abs=CLOSE)


def test_discarding_one_half_leaves_the_other_mixed() -> None:
    qubits = with_pair(lossless())
    qubits.discard(["a"], "discarded", 0)
    assert np.abs(qubits.state(["b"], 0).full() - np.eye(2) / 2).max() < CLOSE
    assert qubits.partner("b") is None


@pytest.mark.parametrize("fidelity", [1.0, 0.7])
def test_a_half_whose_other_half_was_lost_has_a_quarter_of_phi_plus(fidelity: float) -> None:
    qubits = with_pair(lossless(), fidelity)
    qubits.discard(["b"], "herald lost", 0)
    assert qubits.fidelity(["a"], None, 5) == 0.25
    qubits.apply_gate("h", 0.0, ["a"], 5)
    assert qubits.fidelity(["a"], None, 5) == 0.25, "whatever is done to it alone"


def test_a_join_with_a_half_whose_other_half_was_lost_leaves_another_such_half() -> None:
    qubits = with_pair(lossless())
    qubits.create_pair("c", "bob", "d", "carol", werner(1.0), 0)
    qubits.discard(["a"], "alice died", 0)
    qubits.bell_measure("b", "c", 0.3, 0.6, 0)
    assert qubits.fidelity(["d"], None, 0) == 0.25


def test_a_half_whose_other_half_was_measured_is_left_over() -> None:
    qubits = with_pair(lossless())
    qubits.allocate("data", "bob", 0)
    assert not qubits.is_left_over("a") and not qubits.is_left_over("data")
    qubits.bell_measure("data", "b", 0.3, 0.6, 0)
    assert qubits.is_left_over("a")
    with pytest.raises(OperationError, match="one half of a pair"):
        qubits.fidelity(["a"], None, 0)
    qubits = with_pair(lossless())
    qubits.measure("b", Z, 0.3, 0)
    assert qubits.is_left_over("a")


def test_a_half_keeps_its_fidelity_though_the_other_one_is_entangled_with_more() -> None:
    qubits = with_pair(lossless())
    qubits.allocate("c", "bob", 0)
    qubits.apply_gate("h", 0.0, ["c"], 0)
    qubits.apply_gate("cx", 0.0, ["b", "c"], 0)
    assert qubits.size("a") == 3
    assert qubits.fidelity(["a"], None, 0) == pytest.approx(1.0, abs=CLOSE), "cx leaves |+> alone"


def test_states_come_with_per_qubit_dims_in_the_asked_order() -> None:
    qubits = with_pair(lossless())
    qubits.allocate("one", "alice", 0)
    qubits.apply_gate("x", 0.0, ["one"], 0)
    state = qubits.state(["b", "one"], 0)
    assert state.dims == [[2, 2], [2, 2]]
    assert np.abs(state.full() - np.diag([0, 0.5, 0, 0.5])).max() < CLOSE
    assert qubits.size("one") == 1


def test_maps_on_two_qubits_keep_to_the_order_of_their_names() -> None:
    qubits = lossless()
    for name in ("p", "q"):
        qubits.allocate(name, "alice", 0)
    qubits.apply_gate("x", 0.0, ["q"], 0)
    qubits.apply_gate("cx", 0.0, ["q", "p"], 0)
    assert qubits.fidelity(["p", "q"], [0, 0, 0, 1], 0) == pytest.approx(1.0, abs=CLOSE)
    qubits.apply_map(noise.depolarising(0.4, 2), ["p", "q"], 0)
    assert qubits.fidelity(["q", "p"], [0, 0, 0, 1], 0) == pytest.approx(0.7, abs=CLOSE)


# --- refusals -----------------------------------------------------------------------------------------


def test_a_register_that_would_be_too_large_is_refused_before_anything_changes() -> None:
    qubits = decaying("alice")
    with_ghz(qubits, [f"p{i}" for i in range(6)])
    with_ghz(qubits, [f"q{i}" for i in range(5)])
    before = qubits.state(["p0", "q0"], MS).full()
    for act in (
        lambda: qubits.apply_gate("cx", 0.0, ["p0", "q0"], MS),
        lambda: qubits.bell_measure("p0", "q0", 0.5, 0.5, MS),
    ):
        with pytest.raises(RegisterTooLarge) as refusal:
            act()
        assert refusal.value.fields == {"qubits": 11, "limit": 10}
    assert (qubits.size("p0"), qubits.size("q0")) == (6, 5)
    assert np.array_equal(qubits.state(["p0", "q0"], MS).full(), before)


def test_operations_that_make_no_sense_are_refused() -> None:
    qubits = with_ghz(with_pair(lossless()), ["p", "q", "r"])
    with pytest.raises(OperationError, match="named twice"):
        qubits.apply_gate("cx", 0.0, ["a", "a"], 0)
    with pytest.raises(OperationError, match="named twice"):
        qubits.bell_measure("a", "a", 0.5, 0.5, 0)
    with pytest.raises(OperationError, match="not one on 2 qubits"):
        qubits.apply_gate("h", 0.0, ["a", "b"], 0)
    with pytest.raises(OperationError, match="not all 0"):
        qubits.measure("a", (0.0, 0.0, 0.0), 0.5, 0)
    with pytest.raises(OperationError, match="one half of a pair"):
        qubits.fidelity(["p"], None, 0)
    with pytest.raises(OperationError, match="target"):
        qubits.fidelity(["a", "b"], [1, 0], 0)
    with pytest.raises(OperationError, match="no qubit"):
        qubits.state([], 0)
    assert len(qubits) == 5


def test_an_axis_of_any_length_is_a_direction() -> None:
    qubits = with_pair(lossless())
    assert qubits.measure("a", (3.0, 0.0, 0.0), 0.9, 0) == qubits.measure("b", X, 0.0, 0) == 1
