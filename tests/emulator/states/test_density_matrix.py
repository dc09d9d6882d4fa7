from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.errors import InputError, RegisterTooLarge
from qnetem.emulator.states import gates, noise
from qnetem.emulator.states.density_matrix import DensityMatrix
from qnetem.emulator.states.engine import Axis, State, decide
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.states.states import bell_density, bell_vector, werner

from .plain import CLOSE, distance, embedded, evolved, ghz, plain_gate, random_density, random_kraus

X: Axis = (1.0, 0.0, 0.0)
Y: Axis = (0.0, 1.0, 0.0)
Z: Axis = (0.0, 0.0, 1.0)


def state_of(size: int, seed: int) -> tuple[DensityMatrix, Any]:
    """The same random state in both worlds."""
    rho = random_density(size, seed)
    return DensityMatrix.from_density(rho), qutip.Qobj(rho, dims=[[2] * size] * 2)


def zeros(size: int) -> State:
    state: State = DensityMatrix.eigenstate(Z, 0)
    for _ in range(size - 1):
        state = state.merge(DensityMatrix.eigenstate(Z, 0))
    return state


def projector(axis: Axis, outcome: int) -> Any:
    paulis = (qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())
    along = sum(component * pauli for component, pauli in zip(axis, paulis, strict=True))
    return (qutip.qeye(2) + (1 - 2 * outcome) * along) / 2


@settings(max_examples=20, deadline=None)
@given(size=st.integers(2, 4), data=st.data())
def test_random_circuits_agree_with_plain_qutip(size: int, data: st.DataObject) -> None:
    state: State
    state, rho = state_of(size, data.draw(st.integers(0, 1000), label="state"))
    for _ in range(8):
        name = data.draw(st.sampled_from([*gates.GATES, "noise"]))
        count = gates.GATES.get(name) or data.draw(st.integers(1, 2))
        indices = data.draw(st.permutations(range(size)))[:count]
        if name == "noise":
            kraus = random_kraus(count, 3, seed=data.draw(st.integers(0, 1000)))
            state = state.apply_map(noise.from_kraus(kraus), indices)
        else:
            angle = data.draw(st.floats(-7, 7))
            kraus = [plain_gate(name, angle)]
            state = state.apply_map(gates.gate(name, angle), indices)
        rho = evolved(rho, kraus, indices)
    assert distance(state.to_qobj(), rho) < CLOSE


def test_a_map_on_three_qubits_finds_its_qubits_in_any_order() -> None:
    state, rho = state_of(4, seed=8)
    kraus = random_kraus(3, 2, seed=9)
    for indices in ([0, 1, 2], [0, 2, 1], [3, 0, 2], [1, 2, 3]):
        fast = state.apply_map(noise.from_kraus(kraus), indices).to_qobj()
        assert distance(fast, evolved(rho, kraus, indices)) < CLOSE


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("axis", [X, Y, Z, (0.6, 0.0, 0.8), (0.48, 0.64, -0.6)])
@pytest.mark.parametrize("outcome", [0, 1])
def test_a_measurement_projects_and_the_qubit_leaves(index: int, axis: Axis, outcome: int) -> None:
    state, rho = state_of(3, seed=21)
    wide = embedded(projector(axis, outcome), [index], 3)
    probability = (wide * rho).tr().real
    first = probability if outcome == 0 else 1 - probability
    found, rest = state.measure(index, axis, first - 1e-9 if outcome == 0 else first + 1e-9)
    assert found == outcome
    expected = (wide * rho * wide / probability).ptrace([i for i in range(3) if i != index])
    assert distance(rest.to_qobj(), expected) < CLOSE


def test_outcome_zero_is_the_plus_one_eigenstate() -> None:
    for axis in (X, Y, Z):
        for outcome in (0, 1):
            state = DensityMatrix.eigenstate(axis, outcome)
            assert distance(state.to_qobj(), projector(axis, outcome)) < CLOSE
            assert [state.measure(0, axis, u)[0] for u in (0.0, 0.5, 1 - 2**-53)] == [outcome] * 3


def test_the_last_digits_of_a_probability_decide_nothing() -> None:
    """Two machines whose kernels differ in the last bits must see the same outcome."""
    for error in (-3e-16, 0.0, 3e-16):
        assert decide(0.5 + error, 0.5) == 1
        assert decide(1.0 - abs(error), 1 - 2**-53) == 0
        assert decide(0.0 + error, 0.0) == 1


@pytest.mark.parametrize("qubits", [(0, 1), (1, 0), (1, 3), (3, 0), (2, 1)])
@pytest.mark.parametrize("outcome", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_bell_measurement_is_cnot_hadamard_and_two_measurements(
    qubits: tuple[int, int], outcome: tuple[int, int]
) -> None:
    state: State
    state, _ = state_of(4, seed=31)
    first, second = qubits
    z, x = outcome
    u1 = _between(z, lambda u: state.bell_measure(first, second, u, 0.5)[0])
    u2 = _between(x, lambda u: state.bell_measure(first, second, u1, u)[1])
    found_z, found_x, rest = state.bell_measure(first, second, u1, u2)
    assert (found_z, found_x) == outcome

    circuit = state.apply_map(gates.gate("cx"), qubits).apply_map(gates.gate("h"), (first,))
    circuit_z, circuit = circuit.measure(first, Z, u1)
    circuit_x, circuit = circuit.measure(second - (second > first), Z, u2)
    assert (circuit_z, circuit_x) == outcome
    assert distance(rest.to_qobj(), circuit.to_qobj()) < CLOSE


def _between(outcome: int, decides: Any) -> float:
    """A `u` for which the outcome comes out."""
    return next(u for u in (0.0, 1 - 2**-53) if decides(u) == outcome)


@pytest.mark.parametrize("index", range(4))
def test_a_bell_measurement_of_a_bell_state_names_it(index: int) -> None:
    state = DensityMatrix.from_density(bell_density(index))
    for u in (0.0, 0.5, 1 - 2**-53):
        z, x, rest = state.bell_measure(0, 1, u, u)
        assert (z << 1 | x, rest.size) == (index, 0)


def test_six_qubits_in_a_ghz_state() -> None:
    state = zeros(6).apply_map(gates.gate("h"), (0,))
    for i in range(5):
        state = state.apply_map(gates.gate("cx"), (i, i + 1))
    assert state.fidelity(ghz(6)) == pytest.approx(1.0, abs=CLOSE)
    noisy = state
    for i in range(6):
        noisy = noisy.apply_map(noise.dephasing(0.05), (i,))
    assert noisy.fidelity(ghz(6)) == pytest.approx((1 + 0.9**6) / 2, abs=CLOSE)
    outcome, rest = state.measure(2, X, 0.0)
    assert outcome == 0
    assert rest.fidelity(ghz(5)) == pytest.approx(1.0, abs=CLOSE)
    assert {rest.measure(i, Z, 0.7)[0] for i in range(5)} == {1}


def test_fidelity_is_never_its_root() -> None:
    """The trap: qutip.fidelity of the same states is the root."""
    pair = DensityMatrix.from_density(werner(0.81))
    assert pair.fidelity(bell_vector(0)) == pytest.approx(0.81, abs=CLOSE)
    phi_plus = qutip.Qobj(bell_vector(0), dims=[[2, 2], [1, 1]])
    assert qutip.fidelity(pair.to_qobj(), qutip.ket2dm(phi_plus)) == pytest.approx(0.9, abs=1e-6)


def test_fidelity_takes_targets_of_any_norm_and_phase() -> None:
    state, rho = state_of(3, seed=41)
    phi = np.random.default_rng(42).normal(size=(2, 8)) @ np.diag(np.arange(1, 9))
    target = phi[0] + 1j * phi[1]
    expected = np.vdot(target, rho.full() @ target).real / np.vdot(target, target).real
    assert state.fidelity(target) == pytest.approx(expected, abs=CLOSE)
    assert state.fidelity(1j * 5 * target) == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize("indices", [[0], [2], [1, 0], [2, 0], [0, 1, 2], [2, 0, 1]])
def test_the_reduced_state_is_a_partial_trace_in_the_asked_order(indices: list[int]) -> None:
    state, rho = state_of(3, seed=51)
    kept = sorted(indices)
    expected = rho.ptrace(kept).permute([kept.index(i) for i in indices])
    assert distance(state.reduced(indices).to_qobj(), expected) < CLOSE


def test_removing_a_qubit_is_the_partial_trace() -> None:
    state, rho = state_of(3, seed=52)
    assert distance(state.remove(1).to_qobj(), rho.ptrace([0, 2])) < CLOSE


def test_merging_is_the_tensor_product() -> None:
    left, left_rho = state_of(1, seed=61)
    right, right_rho = state_of(2, seed=62)
    assert distance(left.merge(right).to_qobj(), qutip.tensor(left_rho, right_rho)) < CLOSE


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), angle=st.floats(-4, 4), u=st.floats(0, 1, exclude_max=True))
def test_what_one_side_does_cannot_be_seen_on_the_other(seed: int, angle: float, u: float) -> None:
    state, rho = state_of(2, seed)
    turned = state.apply_map(gates.gate("ry", angle), (0,))
    before = rho.ptrace([1])
    assert distance(turned.remove(0).to_qobj(), before) < CLOSE
    outcome, rest = turned.measure(0, X, u)
    other_u = 1 - 2**-53 if outcome == 0 else 0.0
    other, other_rest = turned.measure(0, X, other_u)
    assert {outcome, other} == {0, 1}
    weight = (embedded(projector(X, outcome), [0], 2) * turned.to_qobj()).tr().real
    assert distance(weight * rest.to_qobj() + (1 - weight) * other_rest.to_qobj(), before) < CLOSE


def test_states_are_values_that_nothing_changes() -> None:
    state, rho = state_of(3, seed=71)
    state.apply_map(gates.gate("cx"), (0, 2))
    state.measure(1, X, 0.3)
    state.bell_measure(0, 1, 0.3, 0.3)
    state.fidelity(ghz(3))
    assert distance(state.to_qobj(), rho) < CLOSE


def test_ten_qubits_are_carried_and_eleven_refused() -> None:
    state = zeros(9).merge(DensityMatrix.eigenstate(X, 1))
    assert state.measure(9, X, 0.5)[0] == 1
    with pytest.raises(RegisterTooLarge) as refusal:
        state.merge(DensityMatrix.eigenstate(Z, 0))
    assert refusal.value.fields == {"qubits": 11, "limit": 10}


@pytest.mark.parametrize(
    "density",
    [np.eye(3) / 3, np.eye(4), np.zeros((2, 2)), np.ones((2, 3)), np.full((2, 2), np.nan)],
)
def test_what_is_no_state_is_refused(density: Any) -> None:
    with pytest.raises(InputError, match="density matrix"):
        DensityMatrix.from_density(density)


@pytest.mark.parametrize("target", [[1, 0], [0, 0, 0, 0], [math.nan, 0, 0, 0]])
def test_what_is_no_target_is_refused(target: list[float]) -> None:
    with pytest.raises(InputError, match="target"):
        DensityMatrix.from_density(bell_density(0)).fidelity(target)


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("other_index", range(2))
@pytest.mark.parametrize("sizes", [(3, 2), (3, 3)])
def test_a_bell_measurement_across_two_states_is_that_of_their_product(
    index: int, other_index: int, sizes: tuple[int, int]
) -> None:
    left, right = (state_of(size, seed)[0] for seed, size in enumerate(sizes))
    for u1, u2 in ((0.1, 0.1), (0.1, 0.9), (0.9, 0.1), (0.9, 0.9)):
        *outcome, rest = left.bell_measure_across(index, right, other_index, u1, u2)
        *expected, other = left.merge(right).bell_measure(index, sizes[0] + other_index, u1, u2)
        assert outcome == expected
        assert distance(rest.to_qobj(), other.to_qobj()) < CLOSE
