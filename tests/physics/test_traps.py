"""The conventions that papers and programs mix up: ours, and the number that the mistake would give."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator import closed_forms
from qnetem.emulator.closed_forms import free_space, limits, qkd
from qnetem.emulator.closed_forms import links as link_forms
from qnetem.emulator.devices.sources import Pairs, WeakCoherent, mean_photons
from qnetem.emulator.heralding.double_click import DoubleClick
from qnetem.emulator.heralding.single_click import SingleClick
from qnetem.emulator.heralding.timing import Timing
from qnetem.emulator.optics import raman
from qnetem.emulator.optics.fibre import Fibre
from qnetem.emulator.states import states
from qnetem.emulator.states.density_matrix import DensityMatrix
from qnetem.emulator.states.qutip_import import qutip
from qnetem.physics.emulated import circuits, trains
from qnetem.physics.sections import conventions
from qnetem.physics.sections.repeaters import bell_index_order

TIMING = Timing(1000, (0, 0), (1000, 1000))


def test_depolarising_by_p_mixes_in_p_of_the_identity_not_three_paulis_of_a_third() -> None:
    p = 0.2
    assert conventions.depolarised_half(p) == pytest.approx(1 - 3 * p / 4)
    assert conventions.depolarised_zero(p) == pytest.approx(1 - p / 2)
    thirds = 1 - p
    assert abs(conventions.depolarised_half(p) - thirds) > 0.01
    assert closed_forms.depolarised_fidelity(p) == pytest.approx(1 - 3 * p / 4)


def test_fidelity_is_not_its_root() -> None:
    pair = DensityMatrix.from_density(states.werner(0.81))
    assert pair.fidelity(states.bell_vector(0)) == pytest.approx(0.81)
    root = qutip.fidelity(pair.to_qobj(), qutip.ket2dm(qutip.bell_state("00")))
    assert root == pytest.approx(0.9, abs=1e-6)


def test_decibels_are_of_power() -> None:
    assert Fibre(50.0, 0.2).transmittance == pytest.approx(0.1)
    of_amplitude = 10 ** (-0.2 * 50 / 20)
    assert Fibre(50.0, 0.2).transmittance == pytest.approx(of_amplitude**2)
    assert raman.attenuation_per_km(0.2) == pytest.approx(0.04605, rel=1e-4)
    assert 1 / raman.attenuation_per_km(0.2) == pytest.approx(21.715, rel=1e-4)


def test_divergence_is_a_half_angle_to_one_over_e_squared() -> None:
    half = free_space.loss_db(free_space.gaussian_capture(10, 1200, 1))
    full = free_space.loss_db(
        free_space.gaussian_capture(free_space.half_angle_of_full(10), 1200, 1)
    )
    flat = free_space.loss_db(free_space.flat_top_capture(10, 1200, 1))
    assert (flat, full, half) == pytest.approx((21.6, 18.6, 24.6), abs=0.05)
    fwhm = free_space.half_angle_of_fwhm(10)
    at_half_width = math.exp(-2 * (5 / fwhm) ** 2)
    assert at_half_width == pytest.approx(0.5)


def test_a_gain_is_per_pulse_a_yield_per_photon_number_and_a_qber_per_click() -> None:
    seen = trains.seen(WeakCoherent(0.5), 0.1, 1e-4, 0.02, 200_000)
    gain, qber = qkd.gain(0.5, 0.1, 1e-4), qkd.qber(0.5, 0.1, 1e-4, 0.02)
    sigma = math.sqrt(qber * (1 - qber) / seen.clicks)
    assert seen.qber.value == pytest.approx(qber, abs=3 * sigma)
    error_gain = seen.errors / seen.pulses
    assert error_gain == pytest.approx(gain * qber, rel=0.2)
    assert abs(error_gain - qber) > 3 * sigma
    single = qkd.photon_yield(1, 0.1, 1e-4)
    assert single == pytest.approx(0.1, rel=1e-2) and abs(single - gain) > 0.04


def test_mu_of_a_pair_source_is_pairs_per_pulse_twice_lambda() -> None:
    source = Pairs(0.1)
    assert mean_photons(source.photons()) == pytest.approx(0.1)
    lam = 0.05
    assert source.photons()[1] == pytest.approx(2 * lam / (1 + lam) ** 3)
    taken_for_lambda = 2 * 0.1 / 1.1**3
    assert abs(source.photons()[1] - taken_for_lambda) > 0.05
    low = qkd.pair_gain(1e-4, (0.1, 0.1), (0.0, 0.0))
    assert low == pytest.approx(1e-4 * 0.1 * 0.1, rel=1e-3)


def test_error_correction_that_is_worse_has_the_larger_f() -> None:
    perfect, real = (limits.bb84_threshold(f) for f in (1.0, 1.22))
    assert perfect == pytest.approx(0.110028, rel=1e-5)
    assert real < perfect
    gain, qber = qkd.GYS.gain(0.48, 50), qkd.GYS.qber(0.48, 50)
    singles = qkd.GYS.singles(50)
    rates = [qkd.decoy_rate(0.48, gain, qber, singles, f=f) for f in (1.0, 1.22)]
    leaked = 0.5 * gain * 0.22 * qkd.binary_entropy(qber)
    assert rates[0] - rates[1] == pytest.approx(leaked)


def test_visibility_is_of_two_photons_and_one_photon_keeps_its_root() -> None:
    quiet = {"visibility": 0.81, "dark_probability": 0.0}
    single = SingleClick(1e-6, 1e-3, 1e-3, TIMING, **quiet).attempts().fidelity
    double = DoubleClick(1e-3, 1e-3, TIMING, **quiet).attempts().fidelity
    assert single == pytest.approx((1 + 0.9) / 2, abs=1e-5)
    assert double == pytest.approx((1 + 0.81) / 2)
    assert link_forms.single_click_fidelity(1e-6, 1e-3, 1e-3, visibility=0.81) == pytest.approx(
        single
    )


def test_bell_weights_come_in_the_order_of_the_index_not_of_the_papers() -> None:
    papers = (0.7, 0.15, 0.1, 0.05)
    weights = bell_index_order(papers)
    assert weights == (0.7, 0.1, 0.05, 0.15)
    pair = circuits.bell_diagonal(weights)
    for index, name in enumerate(("00", "10", "01", "11")):
        bell = qutip.bell_state(name)
        assert qutip.expect(qutip.ket2dm(bell), pair.to_qobj()) == pytest.approx(weights[index])
