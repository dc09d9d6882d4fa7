"""What surroundings do to heralded pairs: which part acts on which kind, and what it averages to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.heralding.attempts import Density, in_frame
from qnetem.emulator.heralding.pair_drift import (
    PairDrift,
    double_click_drift,
    midpoint_drift,
    on_half,
    single_click_drift,
)
from qnetem.emulator.heralding.single_click import SingleClick
from qnetem.emulator.heralding.timing import Timing
from qnetem.emulator.optics import phase, polarisation
from qnetem.emulator.optics.environment import Environment, Temperature
from qnetem.emulator.optics.fibre import Fibre, FibreLink
from qnetem.emulator.optics.phase import PhaseDrift, Vibration
from qnetem.emulator.optics.polarisation import PolarisationDrift
from qnetem.emulator.states import noise
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.states.states import bell_density, bell_vector, werner

from ..states.plain import evolved, random_density, random_kraus

MS = 1_000_000
S = 1_000_000_000
KM = Fibre(1.0)


def fibre(
    seed: int = 1, grid_ns: int = MS, encoding: Any = "polarisation", **parts: Any
) -> FibreLink:
    surroundings = Environment(np.random.default_rng(seed), grid_ns, **parts)
    return FibreLink(KM, environment=surroundings, encoding=encoding)


def made(drift: PairDrift | None) -> PairDrift:
    assert drift is not None
    return drift


def fidelity(density: Density) -> float:
    phi_plus = bell_vector(0)
    return float(np.vdot(phi_plus, density @ phi_plus).real)


def coherence(density: Density) -> complex:
    """<00|rho|11>, twice: 1 for Phi+."""
    return complex(2 * density[0, 3])


@pytest.mark.parametrize("half", [0, 1])
def test_a_map_of_one_half_is_what_qutip_makes_of_it(half: int) -> None:
    rho, kraus = random_density(2, 5), random_kraus(1, 3, 6)
    found = on_half(noise.from_kraus(kraus), half, rho)
    expected = evolved(qutip.Qobj(rho, dims=[[2, 2], [2, 2]]), kraus, [half])
    np.testing.assert_allclose(found, expected.full(), rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1


@pytest.mark.parametrize("kind", [single_click_drift, double_click_drift, midpoint_drift])
def test_without_an_environment_nothing_drifts(kind: Any) -> None:
    more = () if kind is double_click_drift else (0,)
    assert kind(FibreLink(KM), *more) is None


# --- single clicks: phase -------------------------------------------------------------------------


def test_the_arms_phase_difference_is_handed_to_the_pair() -> None:
    """One photon in two arms: e^{i phi_A} |10> +- e^{i phi_B} |01>, turned to Phi+ by the herald."""
    link = fibre(phase=PhaseDrift(5.0))
    drift, t_ns = made(single_click_drift(link, 0.5)), 300 * MS
    phi = link.phase_rad(t_ns)
    assert abs(phi) > 0.1
    for bell, sign in ((1, 1), (3, -1)):
        first_arm = np.exp(1j * phi) * np.kron([0, 1], [1, 0])
        other_arm = sign * np.kron([1, 0], [0, 1])
        heralded = (first_arm + other_arm) / math.sqrt(2)
        found = drift.applied(in_frame(bell_density(0), bell), t_ns)
        np.testing.assert_allclose(found, np.outer(heralded, heralded.conj()), atol=1e-12)
        corrected = drift.applied(bell_density(0), t_ns)
        np.testing.assert_allclose(in_frame(corrected, bell), found, atol=1e-12)


@pytest.mark.parametrize("elapsed_ns", [2 * MS, 9 * MS])
def test_a_wiener_phase_leaves_exp_minus_half_d_t_since_it_was_last_set(elapsed_ns: int) -> None:
    """900 periods of 10 ms: independent increments of one path."""
    rate, count = 120.0, 900
    drift = made(single_click_drift(fibre(2, phase=PhaseDrift(rate)), 0.5, 10 * MS))
    pairs = [drift.applied(bell_density(0), k * 10 * MS + elapsed_ns) for k in range(count)]
    found = np.mean([coherence(pair) for pair in pairs])
    variance = rate * elapsed_ns * 1e-9
    expected = math.exp(-variance / 2)
    real_std = math.sqrt((1 + math.exp(-2 * variance)) / 2 - expected**2)
    imaginary_std = math.sqrt((1 - math.exp(-2 * variance)) / 2)
    assert abs(found.real - expected) < 3 * real_std / math.sqrt(count)
    assert abs(found.imag) < 3 * imaginary_std / math.sqrt(count)


def test_without_stabilisation_the_phase_wanders_from_time_0_in_the_mean_over_seeds() -> None:
    rate, count, t_ns = 3.0, 600, 400 * MS
    found = []
    for seed in range(count):
        drift = made(single_click_drift(fibre(seed, 20 * MS, phase=PhaseDrift(rate)), 0.5))
        found.append(coherence(drift.applied(bell_density(0), t_ns)).real)
    variance = rate * t_ns * 1e-9
    expected = PhaseDrift(rate).visibility(t_ns * 1e-9)
    std = math.sqrt((1 + math.exp(-2 * variance)) / 2 - expected**2)
    assert abs(float(np.mean(found)) - expected) < 3 * std / math.sqrt(count)


def test_a_phase_that_was_just_set_turns_nothing_and_the_path_of_a_seed_is_one() -> None:
    vibrations = (Vibration(0.7, 11.0),)
    link = fibre(phase=PhaseDrift(50.0), vibrations=vibrations)
    drift = made(single_click_drift(link, 0.5, 10 * MS))
    assert all(drift.map_at(k * 10 * MS) is None for k in range(20))
    again = made(
        single_click_drift(fibre(phase=PhaseDrift(50.0), vibrations=vibrations), 0.5, 10 * MS)
    )
    for t_ns in (77 * MS, 13 * MS, 44 * MS):
        first, second = drift.map_at(t_ns), again.map_at(t_ns)
        assert first is not None and second is not None and (first == second).all()


def test_populations_know_nothing_of_phases() -> None:
    pair = SingleClick(0.3, 0.1, 0.2, Timing(9, (0, 0), (9, 9)), 1e-3, 0.9).attempts().density()
    drifted = made(single_click_drift(fibre(phase=PhaseDrift(9.0)), 0.5)).applied(pair, S)
    np.testing.assert_allclose(np.diag(drifted), np.diag(pair), atol=1e-12)
    assert abs(coherence(drifted)) == pytest.approx(abs(coherence(pair)), abs=1e-12)
    assert fidelity(drifted) < fidelity(pair) - 1e-3


@pytest.mark.parametrize("station", [0.0, 0.2, 0.5, 1.0])
def test_warmth_acts_by_the_arms_difference_in_length(station: float) -> None:
    warming = Temperature(swing_k=1e-3, period_s=40.0)
    link = fibre(grid_ns=S, temperature=warming)
    drift = made(single_click_drift(link, station))
    found = drift.map_at(10 * S)
    expected_rad = KM.thermal_phase_rad(1e-3) * (station - (1 - station))
    if station == 0.5:
        assert found is None, "arms of one length warm alike"
    else:
        np.testing.assert_allclose(found, phase.phase_map(expected_rad), atol=1e-9)


def test_a_vibration_that_the_grid_averages_leaves_its_bessel_function() -> None:
    link = fibre(grid_ns=MS, vibrations=(Vibration(0.8, 1e6),))
    pair = made(single_click_drift(link, 0.5)).applied(bell_density(0), S)
    assert coherence(pair).real == pytest.approx(phase.bessel_j0(0.8), abs=1e-12)


# --- clicks: polarisation -------------------------------------------------------------------------


def overlap_of(link: FibreLink, t_ns: int) -> float:
    """|<H|U|H>|^2, by the density matrix of what light becomes that was H."""
    turn = link.surroundings_at(t_ns)
    assert turn is not None
    return float(turn[3, 3] + 1) / 2


def test_interference_goes_by_the_overlap_of_polarisations_and_one_photons_by_its_root() -> None:
    link, t_ns = fibre(polarisation=PolarisationDrift(0.8)), 1700 * MS
    left = overlap_of(link, t_ns)
    assert 0.1 < left < 0.95
    single = made(single_click_drift(link, 0.3)).applied(bell_density(0), t_ns)
    double = made(double_click_drift(link)).applied(bell_density(0), t_ns)
    assert coherence(single).real == pytest.approx(math.sqrt(left), abs=1e-12)
    assert coherence(double).real == pytest.approx(left, abs=1e-12)


def test_interference_fades_as_rotational_diffusion_in_the_mean_over_seeds() -> None:
    """V = (1 + exp(-sigma^2 t))/2; the squared z of a diffusing vector has the mean (1 + 2 e^{-3x})/3."""
    rate, count, t_ns = 0.5, 500, S
    found = []
    for seed in range(count):
        link = fibre(seed, 20 * MS, polarisation=PolarisationDrift(rate))
        found.append(coherence(made(double_click_drift(link)).applied(bell_density(0), t_ns)).real)
    shrunk = math.exp(-rate * t_ns * 1e-9)
    std = math.sqrt((1 + 2 * shrunk**3) / 3 - shrunk**2) / 2
    assert abs(float(np.mean(found)) - (1 + shrunk) / 2) < 3 * std / math.sqrt(count)


def test_two_photons_in_one_arm_each_share_its_phase_so_double_clicks_do_not_see_it() -> None:
    everything = {
        "phase": PhaseDrift(100.0),
        "vibrations": (Vibration(1.0, 5.0), Vibration(1.0, 1e6)),
        "temperature": Temperature(swing_k=1.0, period_s=4.0),
    }
    drift = made(double_click_drift(fibre(**everything)))
    assert all(drift.map_at(t_ns) is None for t_ns in (0, MS, S))


# --- midpoint sources -----------------------------------------------------------------------------


@pytest.mark.parametrize(("encoding", "turned"), [("polarisation", True), ("phase", False)])
def test_a_midpoint_source_s_photons_turn_as_light_of_their_encoding_does(
    encoding: str, turned: bool
) -> None:
    link = fibre(encoding=encoding, polarisation=PolarisationDrift(1.0))
    lead_ns = 3 * MS
    drift = made(midpoint_drift(link, lead_ns))
    pair = drift.applied(werner(0.9), S)
    way = link.at(S - lead_ns).noise
    assert (way is not None) == turned
    expected = werner(0.9) if way is None else on_half(way, 1, werner(0.9))
    np.testing.assert_allclose(pair, expected, atol=1e-12)


def test_turning_both_photons_is_turning_one_by_the_way_from_end_to_end() -> None:
    """(U_A x U_B) Phi+ = (1 x U_B U_A^T) Phi+, in the maps that fibres are made of."""
    rng = np.random.default_rng(4)
    turns = polarisation.walk_steps(1.1, 2, rng)
    first, second = (polarisation.rotation_map(polarisation.rotation_of(q)) for q in turns)
    both = on_half(second, 1, on_half(first, 0, bell_density(0)))
    end_to_end = noise.compose(polarisation.backwards(first), second)
    np.testing.assert_allclose(both, on_half(end_to_end, 1, bell_density(0)), atol=1e-12)


def test_a_midpoint_pair_fades_as_rotational_diffusion_in_the_mean_over_seeds() -> None:
    """Depolarised with 1 - exp(-sigma^2 t): F = 1/4 + 3/4 exp(-sigma^2 t)."""
    rate, count, t_ns = 0.4, 500, S
    found = []
    for seed in range(count):
        link = fibre(seed, 20 * MS, polarisation=PolarisationDrift(rate))
        found.append(fidelity(made(midpoint_drift(link, 0)).applied(bell_density(0), t_ns)))
    shrunk = math.exp(-rate * t_ns * 1e-9)
    # F = cos^2(theta/2) of the whole turn by theta, within [0, 1]: Var F <= mean (1 - mean).
    mean = (1 + 3 * shrunk) / 4
    assert abs(float(np.mean(found)) - mean) < 3 * math.sqrt(mean * (1 - mean) / count)
