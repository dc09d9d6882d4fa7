from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.errors import InputError
from qnetem.emulator.states import noise
from qnetem.emulator.states.density_matrix import DensityMatrix
from qnetem.emulator.states.pauli import Superoperator
from qnetem.emulator.states.qobj import superoperator_of
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.states.states import bell_density, bell_vector

from .plain import CLOSE, random_density, random_kraus

MS = 1_000_000


def half_of_phi_plus(superoperator: Superoperator) -> float:
    """F of Phi+ after a map on one qubit."""
    pair = DensityMatrix.from_density(bell_density(0)).apply_map(superoperator, (0,))
    return pair.fidelity(bell_vector(0))


def applied(superoperator: Superoperator, rho: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    size = int(math.log2(rho.shape[0]))
    state = DensityMatrix.from_density(rho).apply_map(superoperator, range(size))
    return np.asarray(state.to_qobj().full())


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("p", [0.0, 0.13, 1.0])
def test_depolarising_mixes_with_the_maximally_mixed_state(p: float, size: int) -> None:
    rho = random_density(size, seed=4)
    expected = (1 - p) * rho + p * np.eye(2**size) / 2**size
    assert np.abs(applied(noise.depolarising(p, size), rho) - expected).max() < CLOSE


def test_depolarising_p_leaves_half_a_pair_at_one_minus_three_quarters_p() -> None:
    """The trap: with (1-p) rho + p/3 (XrX + YrY + ZrZ) it would be 1 - p."""
    assert half_of_phi_plus(noise.depolarising(0.2)) == pytest.approx(0.85, abs=CLOSE)
    zero = np.diag([1.0, 0.0]).astype(complex)
    assert applied(noise.depolarising(0.2), zero)[0, 0] == pytest.approx(0.9, abs=CLOSE)


def test_dephasing_flips_the_phase_with_probability_p() -> None:
    rho, z = random_density(1, seed=5), np.diag([1, -1])
    expected = 0.7 * rho + 0.3 * z @ rho @ z
    assert np.abs(applied(noise.dephasing(0.3), rho) - expected).max() < CLOSE
    assert half_of_phi_plus(noise.dephasing(0.3)) == pytest.approx(0.7, abs=CLOSE)


def test_amplitude_damping_lets_the_excited_state_fall() -> None:
    plus = np.full((2, 2), 0.5, dtype=complex)
    after = applied(noise.amplitude_damping(0.36), plus)
    expected = [[0.68, 0.4], [0.4, 0.32]]
    assert np.abs(after - np.array(expected)).max() < CLOSE


@pytest.mark.parametrize(
    ("time_ns", "fidelity"), [(MS, 0.989849), (10 * MS, 0.906878), (100 * MS, 0.543877)]
)
def test_a_stored_half_decays_as_the_reference_vectors_say(time_ns: int, fidelity: float) -> None:
    """Reference vectors for T1 = 1 s, T2 = 50 ms."""
    superoperator = noise.decay(1000 * MS, 50 * MS, time_ns)
    assert half_of_phi_plus(superoperator) == pytest.approx(fidelity, abs=5e-7)


@settings(max_examples=25, deadline=None)
@given(t1=st.floats(0.1, 10), ratio=st.floats(0.05, 2), time=st.floats(0.01, 5))
def test_decay_is_lindblad_evolution(t1: float, ratio: float, time: float) -> None:
    t1_ns, t2_ns, time_ns = t1 * 1e9, t1 * ratio * 1e9, round(time * 1e9)
    dephasing_rate = max(1e9 / t2_ns - 0.5e9 / t1_ns, 0.0)
    jumps = [qutip.basis(2, 0) * qutip.basis(2, 1).dag(), qutip.sigmaz()]
    slow = noise.from_collapse(jumps, [1e9 / t1_ns, dephasing_rate / 2], time_ns)
    assert np.abs(noise.decay(t1_ns, t2_ns, time_ns) - slow).max() < CLOSE


def test_decay_is_what_mesolve_integrates() -> None:
    rho = qutip.Qobj(random_density(1, seed=6))
    jumps = [qutip.sigmam().dag(), math.sqrt(0.5 * (2.0 - 0.5)) * qutip.sigmaz()]
    options = {"atol": 1e-13, "rtol": 1e-12, "nsteps": 100_000, "progress_bar": ""}
    solved = qutip.mesolve(0 * qutip.qeye(2), rho, [0, 0.4], jumps, options=options)
    fast = applied(noise.decay(1e9, 0.5e9, 400 * MS), rho.full())
    assert np.abs(fast - solved.states[-1].full()).max() < CLOSE


@given(t1=st.integers(1, 10**9), first=st.integers(0, 10**9), second=st.integers(0, 10**9))
def test_decay_in_two_steps_is_decay_in_one(t1: int, first: int, second: int) -> None:
    steps = noise.compose(noise.decay(t1, t1, first), noise.decay(t1, t1, second))
    assert np.abs(steps - noise.decay(t1, t1, first + second)).max() < CLOSE


def test_none_is_an_infinite_time_and_no_t2_means_relaxation_alone() -> None:
    assert np.array_equal(noise.decay(None, None, MS), np.eye(4))
    pure = noise.decay(None, 4 * MS, MS)
    assert np.diag(pure) == pytest.approx([1, math.exp(-0.25), math.exp(-0.25), 1])
    relaxation = noise.amplitude_damping(1 - math.exp(-0.25))
    assert np.abs(noise.decay(4 * MS, None, MS) - relaxation).max() < CLOSE


@pytest.mark.parametrize(("t1", "t2"), [(0, None), (None, -1), (1.0, 2.1), (math.nan, None)])
def test_impossible_decay_times_are_refused(t1: float | None, t2: float | None) -> None:
    with pytest.raises(InputError, match=r"T[12]"):
        noise.decay(t1, t2, 5)


def test_decay_is_remembered_by_its_duration() -> None:
    assert noise.decay(1e6, 1e6, 77) is noise.decay(1e6, 1e6, 77)


@pytest.mark.parametrize("size", [1, 2])
def test_kraus_operators_and_their_superoperator_are_the_same_map(size: int) -> None:
    kraus = random_kraus(size, 3, seed=11)
    rho = random_density(size, seed=12)
    slow = sum(k.full() @ rho @ k.full().conj().T for k in kraus)
    channel = sum(qutip.sprepost(k, k.dag()) for k in kraus)
    assert np.abs(applied(noise.from_kraus(kraus), rho) - slow).max() < CLOSE
    assert np.abs(applied(noise.from_superoperator(channel), rho) - slow).max() < CLOSE
    arrays = noise.from_kraus([k.full() for k in kraus])
    assert np.abs(applied(arrays, rho) - slow).max() < CLOSE


def test_compose_does_the_first_map_first() -> None:
    reset_then_flip = noise.compose(
        noise.amplitude_damping(1.0), noise.from_kraus([qutip.sigmax()])
    )
    mixed = np.eye(2, dtype=complex) / 2
    assert applied(reset_then_flip, mixed)[1, 1] == pytest.approx(1.0)


def test_the_twirl_is_the_average_over_random_paulis() -> None:
    superoperator = noise.from_kraus(random_kraus(2, 3, 9))
    paulis = [noise.from_kraus([p]) for p in (qutip.qeye(2), qutip.sigmax(), qutip.sigmay())]
    paulis.append(noise.from_kraus([qutip.sigmaz()]))
    both = [np.kron(left, right) for left in paulis for right in paulis]
    average = sum(pauli @ superoperator @ pauli for pauli in both) / 16
    assert np.abs(noise.twirled(superoperator) - average).max() < CLOSE


def test_pauli_noise_is_told_by_its_weights() -> None:
    weights = noise.pauli_weights(noise.depolarising(0.2))
    assert weights == pytest.approx([0.85, 0.05, 0.05, 0.05], abs=CLOSE)
    flips = [0.9**0.5 * qutip.qeye([2, 2]), 0.1**0.5 * qutip.tensor(qutip.sigmax(), qutip.sigmaz())]
    found = noise.pauli_weights(noise.from_kraus(flips))
    expected = np.zeros(16)
    expected[0], expected[4 * 1 + 3] = 0.9, 0.1
    assert np.abs(found - expected).max() < CLOSE
    assert noise.pauli_weights(noise.amplitude_damping(0.1)) is None
    assert noise.pauli_weights(noise.from_kraus([qutip.gates.hadamard_transform(1)])) is None


TRANSPOSITION = np.eye(4)[[0, 2, 1, 3]]
REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: noise.from_kraus([]), "at least one"),
    (lambda: noise.from_kraus([0.9 * qutip.qeye(2)]), "not trace preserving"),
    (lambda: noise.from_kraus([np.eye(3)]), "does not act on qubits"),
    (lambda: noise.from_kraus([np.eye(2), np.eye(4)]), "unlike shapes"),
    (lambda: noise.from_kraus([np.array([[1, 0], [0, math.inf]])]), "not finite"),
    (lambda: noise.from_superoperator(TRANSPOSITION), "not completely positive"),
    (lambda: noise.from_superoperator(1j * np.eye(4)), "Hermitian"),
    (lambda: noise.from_superoperator(np.eye(8)), "does not act on qubits"),
    (lambda: noise.depolarising(1.2), "depolarising is 1.2"),
    (lambda: noise.depolarising(math.nan), "probability"),
    (lambda: noise.dephasing(-0.1), "dephasing is -0.1"),
    (lambda: noise.amplitude_damping(2.0), "amplitude damping is 2.0"),
    (lambda: noise.from_collapse([qutip.sigmaz()], [], 1.0), "1 collapse operators but 0 rates"),
    (lambda: noise.from_collapse([qutip.sigmaz()], [-1.0], 1.0), "rates must be 0 or more"),
    (lambda: noise.from_collapse([qutip.sigmaz()], [1.0], -1.0), "duration"),
]


@pytest.mark.parametrize(("build", "reason"), REFUSED)
def test_what_is_no_channel_is_refused_with_the_reason(
    build: Callable[[], object], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        build()


@pytest.mark.parametrize("qubits", [1, 2])
def test_a_generator_evolves_as_qutip_exponentiates_its_liouvillian(qubits: int) -> None:
    jumps, rates_hz, time_ns = random_kraus(qubits, 3, seed=31), [2e3, 5e3, 1e3], 70_000
    scaled = [math.sqrt(rate) * jump for rate, jump in zip(rates_hz, jumps, strict=True)]
    expected = (qutip.liouvillian(None, scaled) * (time_ns * 1e-9)).expm(dtype="dense")
    stepped = noise.evolved(noise.collapse_generator(jumps, rates_hz), time_ns)
    for found in (noise.from_collapse(jumps, rates_hz, time_ns), stepped):
        assert np.abs((superoperator_of(found) - expected).full()).max() < 1e-14


NAMED: list[tuple[Superoperator, list[Any]]] = [
    (noise.depolarising(0.3), [(1 - 0.3 * 3 / 4) ** 0.5 * qutip.qeye(2)]
     + [(0.3 / 4) ** 0.5 * p() for p in (qutip.sigmax, qutip.sigmay, qutip.sigmaz)]),
    (noise.dephasing(0.3), [0.7**0.5 * qutip.qeye(2), 0.3**0.5 * qutip.sigmaz()]),
    (noise.amplitude_damping(0.3), [qutip.Qobj([[1, 0], [0, 0.7**0.5]]), 0.3**0.5 * qutip.sigmap()]),
]  # fmt: skip


@pytest.mark.parametrize(("found", "kraus"), NAMED)
def test_a_named_channel_is_the_one_that_qutip_builds(
    found: Superoperator, kraus: list[Any]
) -> None:
    expected = sum(qutip.sprepost(k, k.dag()) for k in kraus)
    assert np.abs((superoperator_of(found) - expected).full()).max() < 1e-15
