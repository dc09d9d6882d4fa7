from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.optics import phase
from qnetem.emulator.optics.phase import PhaseDrift, Vibration
from qnetem.emulator.states import noise
from qnetem.emulator.states.qutip_import import qutip
from tests.emulator.states.plain import CLOSE


def test_a_visibility_errs_by_half_of_what_it_lacks() -> None:
    assert phase.error_of_visibility(0.9) == pytest.approx(0.05)
    assert phase.error_of_visibility(1.0) == 0.0
    assert phase.error_of_visibility(-1.0) == 1.0
    assert np.diag(phase.visibility_map(0.9)) == pytest.approx([1, 0.9, 0.9, 1])
    with pytest.raises(InputError, match="visibility"):
        phase.error_of_visibility(1.1)


@pytest.mark.parametrize("phase_rad", [0.0, 0.4, -2.0, 1000.0])
def test_the_phase_map_is_qutips(phase_rad: float) -> None:
    expected = noise.from_kraus([qutip.Qobj([[1, 0], [0, np.exp(1j * phase_rad)]])])
    assert np.abs(phase.phase_map(phase_rad) - expected).max() < CLOSE


@pytest.mark.parametrize(
    ("elapsed_s", "visibility"), [(0.0, 1.0), (1e-3, 0.60653), (2e-3, 0.36788), (10.0, 0.0)]
)
def test_drift_washes_the_fringes_out(elapsed_s: float, visibility: float) -> None:
    """V = exp(-D t/2) with D = 1000 rad^2/s."""
    drift = PhaseDrift(1000.0)
    assert drift.visibility(elapsed_s) == pytest.approx(visibility, rel=1e-4, abs=1e-12)
    assert drift.error_rate(elapsed_s) == pytest.approx((1 - visibility) / 2, rel=1e-4)
    assert drift.map(elapsed_s)[1, 1] == pytest.approx(visibility, rel=1e-4, abs=1e-12)


def test_the_visibility_is_the_mean_cosine_of_the_drifted_phase() -> None:
    rng, count = np.random.default_rng(2), 100_000
    drift = PhaseDrift(3.0)
    cosines = np.cos(rng.normal(scale=math.sqrt(drift.variance_rad2(0.5)), size=count))
    assert abs(cosines.mean() - drift.visibility(0.5)) < 3 * cosines.std() / math.sqrt(count)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        (0.0, 1.0),
        (0.5, 0.938469807240813),
        (1.0, 0.765197686557967),
        (2.404825557695773, 0.0),
        (5.0, -0.177596771314338),
        (10.0, -0.245935764451348),
        (-1.0, 0.765197686557967),
        (100.0, 0.0199858503042231),
        (1000.0, 0.0247866861524201),
    ],
)
def test_j0_is_tabulated_j0(argument: float, value: float) -> None:
    """Abramowitz & Stegun, table 9.1, and its first zero."""
    assert phase.bessel_j0(argument) == pytest.approx(value, abs=1e-12)


def test_a_vibration_leaves_j0_of_its_amplitude() -> None:
    times_s = (np.arange(10_000) + 0.5) / 10_000
    cosines = np.cos(0.8 * np.sin(2 * np.pi * 3.0 * times_s))
    vibration = Vibration(0.8, 3.0)
    assert vibration.visibility == pytest.approx(cosines.mean(), rel=1e-9)
    assert vibration.map()[1, 1] == pytest.approx(cosines.mean(), rel=1e-9)
    assert Vibration(3.0, 1.0).visibility < 0  # beyond the first zero the fringes are reversed
    assert Vibration(3.0, 1.0).map()[1, 1] == pytest.approx(Vibration(3.0, 1.0).visibility)


@pytest.mark.parametrize(("delay_ps", "rad"), [(37.0, 44.97), (38.0, 46.18), (40.0, 48.61)])
def test_the_phase_of_a_metre_follows_the_delay_of_its_light(delay_ps: float, rad: float) -> None:
    """37 to 40 ps/(km K) and 45 to 50 rad/(m K) at 1550 nm are one statement."""
    assert phase.thermal_phase_rad_per_m_k(delay_ps) == pytest.approx(rad, rel=1e-3)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (lambda: PhaseDrift(-1.0), "rate_rad2_per_s"),
        (lambda: PhaseDrift(1.0).visibility(-1.0), "elapsed_s"),
        (lambda: Vibration(-0.1, 1.0), "amplitude_rad"),
        (lambda: Vibration(1001.0, 1.0), "amplitude_rad"),
        (lambda: Vibration(math.nan, 1.0), "amplitude_rad"),
        (lambda: Vibration(0.1, 0.0), "frequency_hz"),
    ],
)
def test_an_impossible_phase_is_refused(wrong: object, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        wrong()  # type: ignore[operator]
