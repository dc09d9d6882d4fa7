from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qnetem.emulator import closed_forms
from qnetem.emulator.errors import InputError
from qnetem.emulator.states import gates, noise
from qnetem.emulator.states.bell_diagonal import BellDiagonal
from qnetem.emulator.states.density_matrix import DensityMatrix
from qnetem.emulator.states.engine import State
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.states.states import bell_density, bell_vector, werner

from .plain import CLOSE, distance, embedded, evolved, plain_gate, random_density

WEIGHTS = (0.6, 0.25, 0.1, 0.05)
OTHER = (0.5, 0.05, 0.15, 0.3)
AXES = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (0.6, 0.0, -0.8), (0.48, 0.6, 0.64))
UNIFORMS = (0.1, 0.45, 0.55, 0.9)


def density(weights: tuple[float, ...]) -> np.ndarray:
    return sum(weight * bell_density(index) for index, weight in enumerate(weights))


def plain(weights: tuple[float, ...]) -> object:
    return qutip.Qobj(density(weights), dims=[[2, 2], [2, 2]])


def pauli_kraus(*weights: float) -> list[object]:
    """A Pauli channel with these probabilities of I, X, Y, Z."""
    paulis = (qutip.qeye(2), qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())
    return [math.sqrt(weight) * pauli for weight, pauli in zip(weights, paulis, strict=True)]


def agrees(state: State, other: State) -> bool:
    return distance(state.to_qobj(), other.to_qobj()) < CLOSE


# --- what it holds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(4))
def test_the_four_numbers_are_the_weights_in_the_order_of_the_bell_index(index: int) -> None:
    pair = BellDiagonal.from_density(bell_density(index))
    assert pair.weights == pytest.approx([float(i == index) for i in range(4)], abs=CLOSE)
    assert pair.fidelity(bell_vector(index)) == pytest.approx(1.0, abs=CLOSE)


def test_weights_density_and_qobj_are_one_state() -> None:
    pair = BellDiagonal.from_weights(WEIGHTS)
    assert pair.weights == pytest.approx(WEIGHTS, abs=CLOSE)
    assert distance(pair.to_qobj(), plain(WEIGHTS)) < CLOSE
    assert agrees(BellDiagonal.from_density(density(WEIGHTS)), pair)


def test_fidelity_with_any_target_is_that_of_the_density_matrix() -> None:
    pair, rng = BellDiagonal.from_weights(WEIGHTS), np.random.default_rng(3)
    for _ in range(5):
        target = rng.normal(size=4) + 1j * rng.normal(size=4)
        expected = pair.promoted().fidelity(target)
        assert pair.fidelity(target) == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (0.5, 0.5, 0.5, -0.5), (0.3,) * 4])
def test_weights_that_are_no_distribution_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="Bell weights"):
        BellDiagonal.from_weights(weights)


def test_states_that_are_not_bell_diagonal_are_refused_with_the_way_out() -> None:
    for state in (random_density(2, 1), np.diag([1.0, 0, 0, 0]), np.diag([0.5, 0.5])):
        with pytest.raises(InputError, match="auto"):
            BellDiagonal.from_density(state)


def test_the_twirl_of_a_state_keeps_its_four_bell_fidelities() -> None:
    state = DensityMatrix.from_density(random_density(2, 4))
    pair = BellDiagonal.twirled(state)
    expected = [state.fidelity(bell_vector(index)) for index in range(4)]
    assert pair.weights == pytest.approx(expected, abs=CLOSE)


# --- noise and gates ------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 1])
def test_pauli_noise_on_a_half_is_that_of_plain_qutip(index: int) -> None:
    kraus = pauli_kraus(0.7, 0.15, 0.05, 0.1)
    pair = BellDiagonal.from_weights(WEIGHTS).apply_map(noise.from_kraus(kraus), (index,))
    assert isinstance(pair, BellDiagonal)
    assert distance(pair.to_qobj(), evolved(plain(WEIGHTS), kraus, (index,))) < CLOSE


@pytest.mark.parametrize("indices", [(0, 1), (1, 0)])
def test_joint_depolarising_is_that_of_plain_qutip(indices: tuple[int, int]) -> None:
    pair = BellDiagonal.from_weights(WEIGHTS).apply_map(noise.depolarising(0.3, 2), indices)
    expected = 0.7 * density(WEIGHTS) + 0.3 * np.eye(4) / 4
    assert isinstance(pair, BellDiagonal)
    assert np.abs(pair.to_qobj().full() - expected).max() < CLOSE


@pytest.mark.parametrize("gate", ["x", "y", "z", "cz", "swap", "h", "s", "t", "cx"])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_gate_keeps_the_form_or_promotes_and_is_exact_both_ways(gate: str, reverse: bool) -> None:
    indices = tuple(reversed(range(gates.GATES[gate]))) if reverse else range(gates.GATES[gate])
    pair = BellDiagonal.from_weights(WEIGHTS)
    superoperator = gates.gate(gate)
    after = pair.apply_map(superoperator, tuple(indices))
    assert pair.carries(superoperator, tuple(indices)) == (gate in {"x", "y", "z", "cz", "swap"})
    assert isinstance(after, BellDiagonal) == pair.carries(superoperator, tuple(indices))
    unitary = embedded(plain_gate(gate), tuple(indices), 2)
    assert distance(after.to_qobj(), unitary * plain(WEIGHTS) * unitary.dag()) < CLOSE


def test_relaxation_promotes_and_is_exact() -> None:
    decay = noise.decay(1e6, 5e5, 300_000)
    pair = BellDiagonal.from_weights((1.0, 0.0, 0.0, 0.0)).apply_map(decay, (0,))
    assert isinstance(pair, DensityMatrix)
    expected = closed_forms.stored_phi_plus(0.3, 1.0, 0.5)
    assert pair.fidelity(bell_vector(0)) == pytest.approx(expected, abs=CLOSE)


def test_dephasing_follows_the_closed_form() -> None:
    pair = BellDiagonal.from_weights(WEIGHTS).apply_map(noise.decay(None, 5e5, 200_000), (1,))
    assert isinstance(pair, BellDiagonal)
    assert pair.weights == pytest.approx(
        closed_forms.dephased_weights(WEIGHTS, 0.2, 0.5), abs=CLOSE
    )


def test_a_map_that_may_be_written_to_is_read_every_time() -> None:
    superoperator = np.diag([1.0, 0.5, 0.5, 0.5])
    pair = BellDiagonal.from_weights((1.0, 0.0, 0.0, 0.0))
    assert pair.apply_map(superoperator, (0,)).fidelity(bell_vector(0)) == pytest.approx(0.625)
    superoperator[:] = np.eye(4)
    assert pair.apply_map(superoperator, (0,)).fidelity(bell_vector(0)) == pytest.approx(1.0)


# --- measuring and joining ------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("index", [0, 1])
def test_measuring_a_half_leaves_the_other_as_the_density_matrix_does(
    axis: tuple[float, float, float], index: int
) -> None:
    pair = BellDiagonal.from_weights(WEIGHTS)
    for u in UNIFORMS:
        outcome, rest = pair.measure(index, axis, u)
        expected, other = pair.promoted().measure(index, axis, u)
        assert outcome == expected
        assert agrees(rest, other)


def test_joined_pairs_convolve_by_every_outcome() -> None:
    left, right = BellDiagonal.from_weights(WEIGHTS), BellDiagonal.from_weights(OTHER)
    joined = closed_forms.bell_diagonal_join(WEIGHTS, OTHER)
    for u1, u2 in itertools.product((0.2, 0.7), repeat=2):
        z, x, rest = left.bell_measure_across(1, right, 0, u1, u2)
        assert (z, x) == (int(u1 > 0.5), int(u2 > 0.5))
        found = [rest.fidelity(bell_vector(index ^ (z << 1 | x))) for index in range(4)]
        assert found == pytest.approx(joined, abs=CLOSE)


@pytest.mark.parametrize("indices", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_join_is_that_of_the_density_matrix(indices: tuple[int, int]) -> None:
    left, right = BellDiagonal.from_weights(WEIGHTS), BellDiagonal.from_weights(OTHER)
    for u1, u2 in itertools.product(UNIFORMS, repeat=2):
        z, x, rest = left.bell_measure_across(indices[0], right, indices[1], u1, u2)
        merged = left.promoted().merge(right)
        expected = merged.bell_measure(indices[0], 2 + indices[1], u1, u2)
        assert (z, x) == expected[:2]
        assert isinstance(rest, BellDiagonal)
        assert agrees(rest, expected[2])


@pytest.mark.parametrize("first", ["pair", "single"])
def test_a_join_with_a_single_qubit_teleports_it(first: str) -> None:
    single = DensityMatrix.from_density(random_density(1, 5))
    pair = BellDiagonal.from_weights(WEIGHTS)
    left, right, index = (pair, single, 1) if first == "pair" else (single, pair, 0)
    for u1, u2 in itertools.product(UNIFORMS, repeat=2):
        z, x, rest = left.bell_measure_across(index, right, 0, u1, u2)
        merged = left.promoted().merge(right)
        expected = merged.bell_measure(index, left.size, u1, u2)
        assert (z, x) == expected[:2]
        assert agrees(rest, expected[2])


@pytest.mark.parametrize("weights", [WEIGHTS, OTHER, (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 0.5, 0.5)])
def test_a_bell_measurement_of_both_halves_finds_the_weights(weights: tuple[float, ...]) -> None:
    pair = BellDiagonal.from_weights(weights)
    for u1, u2 in itertools.product((0.01, *UNIFORMS), repeat=2):
        z, x, rest = pair.bell_measure(0, 1, u1, u2)
        assert rest.size == 0
        assert z == int(u1 >= weights[0] + weights[1])
        assert x == int(u2 >= weights[2 * z] / (weights[2 * z] + weights[2 * z + 1]))


def test_either_half_alone_is_maximally_mixed() -> None:
    pair = BellDiagonal.from_weights(WEIGHTS)
    for rest in (pair.remove(0, 0.3), pair.reduced((1,))):
        assert np.abs(rest.to_qobj().full() - np.eye(2) / 2).max() < CLOSE
    assert agrees(pair.reduced((1, 0)), pair)


def test_merging_keeps_the_order_of_the_qubits() -> None:
    pair, single = BellDiagonal.from_weights(WEIGHTS), DensityMatrix.eigenstate((0, 0, 1), 1)
    expected = qutip.tensor(plain(WEIGHTS), qutip.fock_dm(2, 1))
    assert distance(pair.merge(single).to_qobj(), expected) < CLOSE
    expected = qutip.tensor(qutip.fock_dm(2, 1), plain(WEIGHTS))
    assert distance(single.merge(pair).to_qobj(), expected) < CLOSE


def test_a_werner_pair_depolarised_and_joined_follows_the_closed_form() -> None:
    pair = BellDiagonal.from_density(werner(0.9))
    noisy = pair.apply_map(noise.depolarising(0.1), (0,)).apply_map(noise.depolarising(0.1), (1,))
    z, x, rest = noisy.bell_measure_across(1, pair, 0, 0.1, 0.1)
    depolarised = 0.25 + 0.65 * 0.9**2
    assert (z, x) == (0, 0)
    expected = closed_forms.werner_join(depolarised, 0.9)
    assert rest.fidelity(bell_vector(0)) == pytest.approx(expected, abs=CLOSE)
