from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.optics import polarisation
from qnetem.emulator.optics.polarisation import PolarisationDrift
from qnetem.emulator.states import noise
from qnetem.emulator.states.pauli import Superoperator
from qnetem.emulator.states.qobj import superoperator_of
from qnetem.emulator.states.qutip_import import qutip
from tests.emulator.states.plain import CLOSE, random_kraus

STATES = {
    "H": qutip.basis(2, 0),
    "V": qutip.basis(2, 1),
    "D": (qutip.basis(2, 0) + qutip.basis(2, 1)).unit(),
    "R": (qutip.basis(2, 0) + 1j * qutip.basis(2, 1)).unit(),
}


def survival(way: Superoperator, state: Any) -> float:
    """<phi| way(|phi><phi|) |phi>, by QuTiP."""
    out = superoperator_of(way) * qutip.operator_to_vector(state.proj())
    return float(qutip.expect(state.proj(), qutip.vector_to_operator(out)))


@pytest.mark.parametrize("angle_rad", [0.0, 0.1, -0.3, math.pi / 4, 1.5])
def test_polarisers_apart_err_by_the_sine_squared(angle_rad: float) -> None:
    way = polarisation.misalignment_map(angle_rad)
    for name in ("H", "V", "D"):
        assert 1 - survival(way, STATES[name]) == pytest.approx(math.sin(angle_rad) ** 2)
    assert survival(way, STATES["R"]) == pytest.approx(1.0)
    assert polarisation.misalignment_error(angle_rad) == pytest.approx(math.sin(angle_rad) ** 2)


def test_the_misalignment_map_is_the_real_rotation_of_qutip() -> None:
    turn = qutip.Qobj([[math.cos(0.2), -math.sin(0.2)], [math.sin(0.2), math.cos(0.2)]])
    expected = noise.from_kraus([turn])
    assert np.abs(polarisation.misalignment_map(0.2) - expected).max() < CLOSE


def test_an_error_has_its_angle() -> None:
    assert polarisation.misalignment_angle_rad(0.033) == pytest.approx(0.18268, rel=1e-3)
    assert polarisation.misalignment_error(
        polarisation.misalignment_angle_rad(0.033)
    ) == pytest.approx(0.033)
    with pytest.raises(InputError, match="misalignment error"):
        polarisation.misalignment_angle_rad(1.01)


@pytest.mark.parametrize(
    ("elapsed_s", "fidelity"), [(0.0, 1.0), (10.0, 0.90937), (100.0, 0.56767), (1e6, 0.5)]
)
def test_drift_forgets_the_polarisation_exponentially(elapsed_s: float, fidelity: float) -> None:
    """(1 + exp(-0.02 t))/2, and the QBER is the rest."""
    drift = PolarisationDrift(0.02)
    assert drift.fidelity(elapsed_s) == pytest.approx(fidelity, rel=1e-4)
    assert drift.error_rate(elapsed_s) == pytest.approx(1 - fidelity, rel=1e-3, abs=1e-12)
    for state in STATES.values():
        assert survival(drift.map(elapsed_s), state) == pytest.approx(fidelity, rel=1e-4)


def test_the_rate_is_a_variance_per_axis() -> None:
    """Small normal rotations about all three axes, composed by brute force: N = 4000 walks."""
    rng, walks, steps = np.random.default_rng(11), 4000, 200
    variance = 0.7
    vectors = np.tile([0.0, 0.0, 1.0], (walks, 1))
    for _ in range(steps):
        turns = rng.normal(scale=math.sqrt(variance / steps), size=(walks, 3))
        angle = np.linalg.norm(turns, axis=1, keepdims=True)
        axis = turns / angle
        along = (axis * vectors).sum(axis=1, keepdims=True) * axis
        across = np.cross(axis, vectors)
        vectors = along + np.cos(angle) * (vectors - along) + np.sin(angle) * across
    kept = vectors[:, 2]
    expected = PolarisationDrift(variance).shrinking(1.0)
    assert abs(kept.mean() - expected) < 3 * kept.std() / math.sqrt(walks)


@pytest.mark.parametrize("step_s", [1e-6, 0.1, 1.0, 50.0])
def test_a_step_shrinks_exactly_as_the_walk_however_long(step_s: float) -> None:
    drift = PolarisationDrift(0.9)
    turned = (1 + 2 * math.cos(drift.step_angle_rad(step_s))) / 3
    assert turned == pytest.approx(drift.shrinking(step_s), rel=1e-9, abs=1e-12)


def test_steps_turn_by_their_angle_about_axes_without_preference() -> None:
    rng, count = np.random.default_rng(5), 20_000
    steps = polarisation.walk_steps(0.3, count, rng)
    assert np.linalg.norm(steps, axis=1) == pytest.approx(np.ones(count))
    assert steps[:, 0] == pytest.approx(np.full(count, math.cos(0.15)))
    axes = steps[:, 1:] / math.sin(0.15)
    assert np.abs(axes.mean(axis=0)).max() < 3 / math.sqrt(3 * count)
    # The variance of a squared component of a random direction is 1/5 - 1/9.
    assert np.abs((axes**2).mean(axis=0) - 1 / 3).max() < 3 * math.sqrt((1 / 5 - 1 / 9) / count)


def test_accumulated_rotations_are_those_composed_one_by_one() -> None:
    steps = polarisation.walk_steps(0.8, 37, np.random.default_rng(6))
    products = polarisation.accumulated(steps)
    matrix = np.eye(3)
    for step, product in zip(steps, products, strict=True):
        matrix = polarisation.rotation_of(step) @ matrix
        assert np.allclose(polarisation.rotation_of(product), matrix, atol=1e-12)


def test_a_quaternion_is_the_rotation_of_qutips_unitary() -> None:
    axis, angle = np.array([0.36, 0.48, 0.8]), 1.1
    quaternion = np.array([math.cos(angle / 2), *(math.sin(angle / 2) * axis)])
    generator = sum(
        c * s for c, s in zip(axis, (qutip.sigmax(), qutip.sigmay(), qutip.sigmaz()), strict=True)
    )
    expected = noise.from_kraus([(-0.5j * angle * generator).expm()])
    got = polarisation.rotation_map(polarisation.rotation_of(quaternion))
    assert np.abs(got - expected).max() < CLOSE


def test_backwards_is_the_transposed_jones_matrix() -> None:
    generator = 0.3 * qutip.sigmax() - 0.7 * qutip.sigmay() + 0.2 * qutip.sigmaz()
    jones = (-1j * generator).expm()
    there = noise.compose(noise.from_kraus([jones]), noise.dephasing(0.1))
    back = noise.compose(noise.dephasing(0.1), noise.from_kraus([jones.trans()]))
    assert np.abs(polarisation.backwards(there) - back).max() < CLOSE
    assert np.abs(polarisation.backwards(polarisation.backwards(there)) - there).max() == 0


def test_a_map_that_is_not_unital_has_no_way_back() -> None:
    """Amplitude damping is no matter of a fibre: it is refused, not turned round by mistake."""
    with pytest.raises(InputError, match="unital"):
        polarisation.backwards(noise.amplitude_damping(0.1))
    with pytest.raises(InputError, match="unital"):
        polarisation.backwards(noise.from_kraus(random_kraus(1, 2, 1)))


@pytest.mark.parametrize("rate", [-1.0, math.nan, math.inf])
def test_an_impossible_drift_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="rate_rad2_per_s"):
        PolarisationDrift(rate)
    with pytest.raises(InputError, match="elapsed_s"):
        PolarisationDrift(1.0).map(-1.0)
