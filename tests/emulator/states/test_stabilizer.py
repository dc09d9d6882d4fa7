from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qnetem.emulator.errors import InputError, OperationError, RegisterTooLarge
from qnetem.emulator.quantum.formalism import Formalism, qubit_numbers
from qnetem.emulator.quantum.node.registry import Registry
from qnetem.emulator.states import gates, noise
from qnetem.emulator.states.density_matrix import DensityMatrix
from qnetem.emulator.states.engine import Axis, State
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.states.stabilizer import Stabilizer, carries
from qnetem.emulator.states.states import bell_density, bell_vector, werner

from .plain import CLOSE, distance, embedded, plain_gate, random_density

X: Axis = (1.0, 0.0, 0.0)
Y: Axis = (0.0, 1.0, 0.0)
Z: Axis = (0.0, 0.0, 1.0)
AXES = [tuple(sign * part for part in axis) for axis in (X, Y, Z) for sign in (1, -1)]
CLIFFORDS = ("x", "y", "z", "h", "s", "sdg", "cx", "cz", "swap")


def zeros(size: int) -> Stabilizer:
    state: State = Stabilizer.eigenstate(Z, 0)
    for _ in range(size - 1):
        state = state.merge(Stabilizer.eigenstate(Z, 0))
    assert isinstance(state, Stabilizer)
    return state


def scrambled(size: int, seed: int) -> tuple[Stabilizer, DensityMatrix]:
    """The same random Clifford circuit on both engines."""
    rng = np.random.default_rng(seed)
    state = zeros(size)
    density = state.promoted()
    for _ in range(6 * size):
        name = CLIFFORDS[rng.integers(len(CLIFFORDS))]
        indices = rng.choice(size, gates.GATES[name], replace=False).tolist()
        state = state.apply_map(gates.gate(name), indices, 0.0)
        density = density.apply_map(gates.gate(name), indices)
    return state, density


# --- what it holds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("outcome", [0, 1])
def test_an_eigenstate_is_that_of_the_density_matrix(axis: Axis, outcome: int) -> None:
    ours, expected = Stabilizer.eigenstate(axis, outcome), DensityMatrix.eigenstate(axis, outcome)
    assert distance(ours.to_qobj(), expected.to_qobj()) < CLOSE


@pytest.mark.parametrize("index", range(4))
def test_bell_states_go_by_their_index(index: int) -> None:
    assert Stabilizer.bell(index).fidelity(bell_vector(index)) == pytest.approx(1.0, abs=CLOSE)


def test_a_mixture_of_bell_states_is_picked_by_the_callers_number() -> None:
    density = sum(w * bell_density(i) for i, w in enumerate((0.5, 0.0, 0.3, 0.2)))
    for u, index in ((0.0, 0), (0.49, 0), (0.5, 2), (0.79, 2), (0.8, 3), (1 - 2**-53, 3)):
        state = Stabilizer.from_density(density, u)
        assert state.fidelity(bell_vector(index)) == pytest.approx(1.0, abs=CLOSE)


def test_only_mixtures_of_bell_states_become_pairs() -> None:
    with pytest.raises(InputError, match="not a Bell-diagonal state"):
        Stabilizer.from_density(random_density(2, 1), 0.5)


# --- gates and noise ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_a_random_clifford_circuit_is_that_of_plain_qutip(seed: int) -> None:
    rng, size = np.random.default_rng(seed), 4
    state, rho = zeros(size), qutip.ket2dm(qutip.basis([2] * size, [0] * size))
    for _ in range(20):
        name = CLIFFORDS[rng.integers(len(CLIFFORDS))]
        indices = rng.choice(size, gates.GATES[name], replace=False).tolist()
        state = state.apply_map(gates.gate(name), indices, 0.0)
        unitary = embedded(plain_gate(name), indices, size)
        rho = unitary * rho * unitary.dag()
    assert distance(state.to_qobj(), rho) < CLOSE


def test_rotations_by_quarter_turns_are_clifford_gates_and_others_are_not() -> None:
    for name in ("rx", "ry", "rz"):
        turned = Stabilizer.eigenstate(Z, 0).apply_map(gates.gate(name, math.pi / 2), (0,), 0.0)
        expected = DensityMatrix.eigenstate(Z, 0).apply_map(gates.gate(name, math.pi / 2), (0,))
        assert distance(turned.to_qobj(), expected.to_qobj()) < CLOSE
    for superoperator in (gates.gate("t"), gates.gate("rx", 0.3)):
        assert not carries(superoperator)
        with pytest.raises(OperationError, match=r"Clifford.*density_matrix"):
            Stabilizer.eigenstate(Z, 0).apply_map(superoperator, (0,), 0.0)


def test_noise_averages_to_the_channel() -> None:
    """A grid of numbers in place of drawn ones: the average over it is exact to its spacing."""
    superoperator = noise.compose(noise.depolarising(0.4), noise.dephasing(0.2))
    grid = [(i + 0.5) / 1000 for i in range(1000)]
    pair = Stabilizer.bell(0)
    average = sum(pair.apply_map(superoperator, (1,), u).fidelity(bell_vector(0)) for u in grid)
    exact = DensityMatrix.from_density(bell_density(0)).apply_map(superoperator, (1,))
    assert average / 1000 == pytest.approx(exact.fidelity(bell_vector(0)), abs=1e-3)


def test_joint_noise_acts_on_the_qubits_it_names() -> None:
    kraus = [qutip.tensor(qutip.sigmax(), qutip.sigmaz())]
    both = noise.from_kraus(kraus)
    state, density = scrambled(3, 2)
    after = state.apply_map(both, (2, 0), 0.5)
    assert distance(after.to_qobj(), density.apply_map(both, (2, 0)).to_qobj()) < CLOSE


def test_relaxation_is_refused() -> None:
    with pytest.raises(OperationError, match="Pauli noise"):
        Stabilizer.bell(0).apply_map(noise.amplitude_damping(0.1), (0,), 0.5)


def test_a_state_is_a_value() -> None:
    state = Stabilizer.bell(0)
    for act in (
        lambda: state.apply_map(gates.gate("x"), (0,), 0.0),
        lambda: state.apply_map(noise.depolarising(1.0), (0,), 0.6),
        lambda: state.measure(0, X, 0.9),
        lambda: state.bell_measure(0, 1, 0.1, 0.1),
        lambda: state.merge(Stabilizer.bell(1)),
        lambda: state.remove(0, 0.7),
    ):
        act()
        assert state.fidelity(bell_vector(0)) == pytest.approx(1.0, abs=CLOSE)


# --- measuring ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("seed", range(4))
def test_a_measurement_is_that_of_the_density_matrix(axis: Axis, seed: int) -> None:
    state, density = scrambled(4, seed)
    for index, u in itertools.product(range(4), (0.2, 0.8)):
        outcome, rest = state.measure(index, axis, u)
        expected, other = density.measure(index, axis, u)
        assert outcome == expected
        assert distance(rest.to_qobj(), other.to_qobj()) < CLOSE


@pytest.mark.parametrize("seed", range(6))
def test_a_bell_measurement_is_that_of_the_density_matrix(seed: int) -> None:
    state, density = scrambled(4, seed)
    for first, second in itertools.permutations(range(4), 2):
        for u1, u2 in itertools.product((0.2, 0.8), repeat=2):
            z, x, rest = state.bell_measure(first, second, u1, u2)
            expected = density.bell_measure(first, second, u1, u2)
            assert (z, x) == expected[:2]
            assert distance(rest.to_qobj(), expected[2].to_qobj()) < CLOSE


def test_a_bell_measurement_across_two_states_joins_them() -> None:
    for u1, u2 in itertools.product((0.2, 0.8), repeat=2):
        z, x, rest = Stabilizer.bell(0).bell_measure_across(1, Stabilizer.bell(0), 0, u1, u2)
        assert rest.fidelity(bell_vector(z << 1 | x)) == pytest.approx(1.0, abs=CLOSE)


@pytest.mark.parametrize("seed", range(5))
def test_reduced_states_are_those_of_the_density_matrix(seed: int) -> None:
    state, density = scrambled(5, seed)
    for indices in ((0,), (3, 1), (4, 0, 2), (2, 1, 0, 3)):
        expected = density.reduced(indices).to_qobj()
        assert distance(state.reduced(indices).to_qobj(), expected) < CLOSE


def test_a_vanished_qubit_leaves_the_average_of_its_outcomes() -> None:
    state, density = scrambled(3, 7)
    average = sum(state.remove(1, u).to_qobj() for u in (0.25, 0.75)) / 2
    assert distance(average, density.remove(1).to_qobj()) < CLOSE


def test_other_axes_are_refused_with_the_way_out() -> None:
    with pytest.raises(OperationError, match="density_matrix measures along any axis"):
        Stabilizer.bell(0).measure(0, (0.6, 0.0, 0.8), 0.5)


# --- hundreds of qubits ---------------------------------------------------------------------------------


def test_four_hundred_qubits_share_a_ghz_state() -> None:
    qubits = Registry(lambda holder: None, Formalism("stabilizer"), qubit_numbers(1))
    names = [f"q{i}" for i in range(400)]
    for name in names:
        qubits.allocate(name, "alice", 0)
    qubits.apply_gate("h", 0.0, names[:1], 0)
    for left, right in itertools.pairwise(names):
        qubits.apply_gate("cx", 0.0, [left, right], 0)
    assert qubits.size("q0") == 400
    # Half of them along x: the parity of these outcomes is the phase of what is left.
    flips = sum(
        qubits.measure(name, X, 0.1 + 0.8 * (i % 2), 0) for i, name in enumerate(names[200:])
    )
    assert flips == 100
    first = qubits.measure("q0", Z, 0.7, 0)
    rest = [qubits.measure(name, Z, 0.1, 0) for name in names[1:200]]
    assert (first, set(rest), len(qubits)) == (1, {1}, 0)


def test_the_phase_of_a_large_ghz_state_is_in_the_parity_of_x() -> None:
    state = zeros(60).apply_map(gates.gate("h"), (0,), 0.0)
    for i in range(59):
        state = state.apply_map(gates.gate("cx"), (i, i + 1), 0.0)
    assert state.expectation("X" * 60) == 1
    assert state.expectation("ZZ" + "I" * 58) == 1
    assert state.expectation("Z" + "_" * 59) == 0
    assert state.apply_map(gates.gate("z"), (17,), 0.0).expectation("X" * 60) == -1
    with pytest.raises(OperationError, match="no Pauli string"):
        state.expectation("XX")


def test_densities_of_more_than_ten_qubits_are_refused() -> None:
    state = zeros(11)
    with pytest.raises(RegisterTooLarge):
        state.to_qobj()
    assert state.reduced(range(10)).fidelity([1] + [0] * 1023) == pytest.approx(1.0, abs=CLOSE)


def test_werner_pairs_average_to_their_fidelity() -> None:
    grid = [(i + 0.5) / 1000 for i in range(1000)]
    found = [Stabilizer.from_density(werner(0.81), u).fidelity(bell_vector(0)) for u in grid]
    assert sum(found) / 1000 == pytest.approx(0.81, abs=1e-3)
