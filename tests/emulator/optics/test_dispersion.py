from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.optics import dispersion
from qnetem.emulator.optics.dispersion import Pulse
from qnetem.emulator.states.qobj import superoperator_of
from qnetem.emulator.states.qutip_import import qutip


def test_fifty_kilometres_spread_a_nanometre_over_850_ps() -> None:
    assert dispersion.chromatic_spread_ps(50.0, 17.0, 1.0) == pytest.approx(850.0, rel=1e-3)
    assert dispersion.chromatic_spread_ps(50.0, -17.0, 1.0) == pytest.approx(850.0, rel=1e-3)


def test_seventeen_ps_per_nm_and_km_are_minus_21_7_ps2_per_km() -> None:
    assert dispersion.beta2_ps2_per_km(17.0) == pytest.approx(-21.68, rel=1e-3)
    assert dispersion.beta2_ps2_per_km(-17.0) == pytest.approx(21.68, rel=1e-3)


def test_the_dispersed_gaussian_is_the_fourier_transform_of_its_spectrum() -> None:
    """A 10 ps pulse through 20 km, propagated numerically in the frequency domain."""
    duration_ps, length_km, beta2 = 10.0, 20.0, -21.7
    t = np.linspace(-4000, 4000, 2**14, endpoint=False)
    field = np.exp(-(t**2) / (4 * duration_ps**2))
    omega = 2 * np.pi * np.fft.fftfreq(t.size, t[1] - t[0])
    out = np.fft.ifft(np.fft.fft(field) * np.exp(0.5j * beta2 * length_km * omega**2))
    power = np.abs(out) ** 2
    rms = math.sqrt((power * t**2).sum() / power.sum())
    got = dispersion.dispersed_duration_ps(duration_ps, length_km, beta2)
    assert got == pytest.approx(rms, rel=1e-3)


@pytest.mark.parametrize("duration_ps", [5.0, 50.0, 500.0])
def test_linewidth_and_beta2_tell_the_same_spread(duration_ps: float) -> None:
    pulse = Pulse(1550.0, duration_ps)
    by_linewidth = dispersion.combined_spread_ps(
        duration_ps, dispersion.chromatic_spread_ps(80.0, 17.0, pulse.spectral_width_nm)
    )
    by_beta2 = dispersion.dispersed_duration_ps(
        duration_ps, 80.0, dispersion.beta2_ps2_per_km(17.0)
    )
    assert by_linewidth == pytest.approx(by_beta2, rel=1e-12)


def test_a_transform_limited_pulse_has_half_as_uncertainty_product() -> None:
    pulse = Pulse(1550.0, 25.0)
    assert pulse.bandwidth_rad_per_ps * 25.0 == pytest.approx(0.5)
    # lambda^2 / (4 pi c s): 1550^2 / (4 pi 299792 25) nm
    assert pulse.spectral_width_nm == pytest.approx(0.025509, rel=1e-3)
    assert Pulse(1550.0, 25.0, linewidth_nm=1.0).spectral_width_nm == 1.0


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"wavelength_nm": 0.0}, "wavelength_nm"),
        ({"duration_ps": -1.0}, "duration_ps"),
        ({"duration_ps": math.nan}, "duration_ps"),
        ({"linewidth_nm": 0.0}, "linewidth_nm"),
        ({"duration_ps": 1.0, "linewidth_nm": 0.01}, "at least 0.6377"),
    ],
)
def test_an_impossible_pulse_is_refused(wrong: dict[str, float], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        Pulse(**wrong)


@pytest.mark.parametrize(
    ("first", "second", "jitter"),
    [(60, 100, 0), (60, 100, 30), (400, 1000, 50), (100, 100, 300), (60, 40, 5)],
)
def test_light_that_comes_at_any_time_passes_two_gates_for_so_long(
    first: float, second: float, jitter: float
) -> None:
    """In slots of 1000 ps, by plain draws: N = 400,000 within the first gate."""
    rng = np.random.Generator(np.random.PCG64(3))
    times = rng.uniform(-first / 2, first / 2, 400_000) + jitter * rng.standard_normal(400_000)
    inside = float((abs(times - 1000 * np.rint(times / 1000)) <= second / 2).mean())
    found = dispersion.overlap_ps(first, second, jitter, 1000)
    assert found / first == pytest.approx(inside, abs=3 * 0.5 / math.sqrt(400_000))


def test_the_mean_group_delay_grows_with_the_root_of_the_length() -> None:
    assert dispersion.mean_group_delay_ps(100.0, 0.2) == pytest.approx(2.0)
    assert dispersion.mean_group_delay_ps(25.0, 0.2) == pytest.approx(1.0)


@pytest.mark.parametrize(("delay_ps", "bandwidth"), [(2.0, 0.1), (1.0, 1.0), (0.0, 5.0)])
def test_pmd_averages_the_phase_between_principal_states_over_the_spectrum(
    delay_ps: float, bandwidth: float
) -> None:
    offsets = np.linspace(-10, 10, 20_001)
    weights = np.exp(-(offsets**2) / 2)
    mean = np.average(np.exp(1j * delay_ps * bandwidth * offsets), weights=weights)
    assert dispersion.pmd_coherence(delay_ps, bandwidth) == pytest.approx(mean.real, abs=1e-9)
    assert dispersion.pmd_coherence(delay_ps, bandwidth) <= 1


@pytest.mark.parametrize(("mean_ps", "bandwidth"), [(0.1, 0.5), (2.0, 0.5), (1.0, 3.0)])
def test_the_group_delay_of_a_fibre_is_maxwell_distributed(
    mean_ps: float, bandwidth: float
) -> None:
    """By numerical integration over the distribution of the DGD, whose mean is the fibre's."""
    delays, step = np.linspace(0, 12 * mean_ps, 200_001, retstep=True)
    scale = mean_ps * math.sqrt(math.pi / 8)
    density = math.sqrt(2 / math.pi) * delays**2 / scale**3 * np.exp(-(delays**2) / (2 * scale**2))
    assert (density * delays).sum() * step == pytest.approx(mean_ps, rel=1e-6)
    mean = (density * np.exp(-((delays * bandwidth) ** 2) / 2)).sum() * step
    assert dispersion.mean_pmd_coherence(mean_ps, bandwidth) == pytest.approx(mean, rel=1e-6)
    rms_ps = math.sqrt((density * delays**2).sum() * step)
    assert dispersion.rms_group_delay_ps(mean_ps) == pytest.approx(rms_ps, rel=1e-6)


def test_weak_pmd_depolarises_by_the_mean_square_of_the_delay() -> None:
    lost, by_the_mean = (
        1 - coherence(0.01, 1.0)
        for coherence in (dispersion.mean_pmd_coherence, dispersion.pmd_coherence)
    )
    assert lost / by_the_mean == pytest.approx(3 * math.pi / 8, rel=1e-3)


def test_pmd_is_dephasing_along_an_axis_averaged_over_the_sphere() -> None:
    """The octahedron's six directions average vectors as the whole sphere does."""
    coherence = 0.6
    shrunk = np.zeros((3, 3))
    for axis in np.vstack([np.eye(3), -np.eye(3)]):
        along = np.outer(axis, axis)
        shrunk += (along + coherence * (np.eye(3) - along)) / 6
    assert np.allclose(dispersion.pmd_map(coherence)[1:, 1:], shrunk)
    horizontal = qutip.fock_dm(2, 0)
    out = qutip.vector_to_operator(
        superoperator_of(dispersion.pmd_map(coherence)) * qutip.operator_to_vector(horizontal)
    )
    assert qutip.expect(horizontal, out) == pytest.approx((1 + (1 + 2 * coherence) / 3) / 2)


@pytest.mark.parametrize(
    ("jitter_ps", "gate_ps", "kept"), [(50.0, 100.0, 0.98147), (350.0, 1000.0, 0.99923)]
)
def test_a_gate_keeps_what_erf_says(jitter_ps: float, gate_ps: float, kept: float) -> None:
    spread_ps = dispersion.rms_of_fwhm(jitter_ps)
    assert spread_ps == pytest.approx(jitter_ps / 2.3548, rel=1e-4)
    assert dispersion.gate_fraction(spread_ps, gate_ps) == pytest.approx(kept, rel=1e-4)


def test_a_gate_beside_the_pulse_keeps_less_and_counts_the_same_on_both_sides() -> None:
    rng = np.random.default_rng(3)
    count = 200_000
    arrivals = rng.normal(120.0, 80.0, size=count)
    kept = dispersion.gate_fraction(80.0, 300.0, offset_ps=120.0)
    inside = int((np.abs(arrivals) < 150.0).sum())
    assert abs(inside - count * kept) < 3 * math.sqrt(count * kept * (1 - kept))
    assert dispersion.gate_fraction(80.0, 300.0, offset_ps=-120.0) == pytest.approx(kept)


def test_without_spread_all_arrive_at_the_centre() -> None:
    assert dispersion.gate_fraction(0.0, 100.0) == 1.0
    assert dispersion.gate_fraction(0.0, 100.0, offset_ps=49.9) == 1.0
    assert dispersion.gate_fraction(0.0, 100.0, offset_ps=50.1) == 0.0
    assert dispersion.gate_fraction(0.0, 100.0, offset_ps=50.0) == 0.5
    assert dispersion.gate_fraction(10.0, 0.0) == 0.0


@pytest.mark.parametrize("wrong", [(-1.0, 10.0), (1.0, -10.0), (math.nan, 10.0)])
def test_an_impossible_gate_is_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="_ps is"):
        dispersion.gate_fraction(*wrong)
