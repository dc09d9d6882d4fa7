from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.optics import polarisation
from qnetem.emulator.optics.dispersion import Pulse
from qnetem.emulator.optics.environment import Environment, Temperature
from qnetem.emulator.optics.fibre import Fibre, FibreLink
from qnetem.emulator.optics.phase import PhaseDrift, Vibration
from qnetem.emulator.optics.polarisation import PolarisationDrift
from qnetem.emulator.optics.raman import ClassicalChannels, RamanNoise
from qnetem.emulator.states import noise

S = 1_000_000_000


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- what the fibre does by itself ---


def test_fifty_kilometres_of_standard_fibre_spread_a_nanometre_over_850_ps() -> None:
    pulse = Pulse(1550.0, duration_ps=10.0, linewidth_nm=1.0)
    assert Fibre(50.0, pmd_ps_per_sqrt_km=0.0).spread_ps(pulse) == pytest.approx(
        math.hypot(10.0, 850.0)
    )


def test_all_spreads_add_in_squares() -> None:
    pulse = Pulse(1550.0, duration_ps=30.0, linewidth_nm=0.2)
    fibre = Fibre(100.0, dispersion_ps_per_nm_km=1.0, pmd_ps_per_sqrt_km=8.0)
    assert fibre.mean_group_delay_ps == pytest.approx(80.0)
    assert fibre.spread_ps(pulse) == pytest.approx(
        math.sqrt(30.0**2 + 20.0**2 + 3 * math.pi / 32 * 80.0**2)
    )


def test_dispersion_follows_the_wavelength() -> None:
    assert Fibre(1.0).dispersion_at(1550.0) == 17.0
    assert Fibre(1.0).dispersion_at(1530.0) == pytest.approx(15.84)
    assert Fibre(1.0, dispersion_ps_per_nm_km=-80.0).dispersion_at(1560.0) == pytest.approx(-79.42)


def test_pmd_depolarises_short_pulses_only_and_only_where_there_is_a_pulse() -> None:
    fibre = Fibre(100.0, pmd_ps_per_sqrt_km=0.2)
    assert fibre.noise() is None
    short, long = fibre.noise(Pulse(duration_ps=1.0)), fibre.noise(Pulse(duration_ps=100.0))
    assert short is not None
    assert long is not None
    coherence = (1 + math.pi / 8 * (2.0 * 0.5) ** 2) ** -1.5
    assert np.diag(short)[1:] == pytest.approx([(1 + 2 * coherence) / 3] * 3)
    assert 1 - long[1, 1] < 1e-4


def test_misaligned_frames_err_by_the_sine_squared() -> None:
    turned = Fibre(10.0, misalignment_rad=0.2).noise()
    assert turned is not None
    assert (1 - turned[3, 3]) / 2 == pytest.approx(math.sin(0.2) ** 2)
    assert (1 - turned[1, 1]) / 2 == pytest.approx(math.sin(0.2) ** 2)


def test_a_degree_of_warmth_delays_a_kilometre_by_38_ps() -> None:
    warm, cold = Fibre(10.0).delay_s(1.0), Fibre(10.0).delay_s()
    assert (warm - cold) * 1e12 == pytest.approx(380.0, rel=1e-3)
    assert Fibre(10.0).thermal_phase_rad(1.0) == pytest.approx(46.18 * 10_000, rel=1e-3)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"pmd_ps_per_sqrt_km": -0.1}, "pmd_ps_per_sqrt_km"),
        ({"dispersion_ps_per_nm_km": math.nan}, "dispersion_ps_per_nm_km"),
        ({"misalignment_rad": math.inf}, "misalignment_rad"),
        ({"thermal_delay_ps_per_km_k": -1.0}, "thermal_delay_ps_per_km_k"),
    ],
)
def test_an_impossible_fibre_is_refused(wrong: dict[str, float], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        Fibre(10.0, **wrong)


# --- the link as a whole ---


def test_without_surroundings_a_passage_is_the_fibres() -> None:
    fibre = Fibre(50.0, insertion_loss_db=2.0, dephasing=0.1)
    state = FibreLink(fibre).at(7 * S)
    assert state.transmittance == fibre.transmittance
    assert state.delay_ns == fibre.delay_ns
    assert state.noise is not None
    assert np.array_equal(state.noise, fibre.noise())
    assert state.spread_ps == 0.0
    assert state.noise_rate_hz == 0.0
    assert state.valid_until_ns is None
    assert FibreLink(Fibre(50.0)).at(0).noise is None


@pytest.mark.parametrize("length_km", [0.0, 1e-9, 0.3, 1.0, 33.3, 100.0, 1203.0])
def test_at_the_stated_temperature_the_delay_is_the_fibres(length_km: float) -> None:
    assert FibreLink(Fibre(length_km)).at(0).delay_ns == Fibre(length_km).delay_ns


def test_the_delay_follows_the_temperature() -> None:
    weather = Environment(rng(), S, temperature=Temperature(swing_k=10.0, period_s=400.0))
    link = FibreLink(Fibre(50.0), environment=weather)
    assert link.at(100 * S).delay_ps - link.at(0).delay_ps == pytest.approx(19_000.0)
    assert link.at(100 * S).delay_ns - link.at(0).delay_ns == 19
    assert link.at(0).valid_until_ns == S


def test_drifted_polarisation_errs_as_the_closed_form_says() -> None:
    """Mean QBER over N = 600 links, in both directions, against (1 - exp(-sigma^2 t))/2."""
    drift, count = PolarisationDrift(0.4), 600
    errors = np.empty((count, 2))
    for seed in range(count):
        surroundings = Environment(rng(seed), S // 10, polarisation=drift)
        link = FibreLink(Fibre(50.0), environment=surroundings)
        for column, reverse in enumerate((False, True)):
            way = link.at(S, reverse).noise
            assert way is not None
            errors[seed, column] = (1 - way[1, 1]) / 2
    spread = errors.std(axis=0) / math.sqrt(count)
    assert (np.abs(errors.mean(axis=0) - drift.error_rate(1.0)) < 3 * spread).all()


def test_light_comes_back_through_the_same_fibre() -> None:
    """Reciprocity: each way is the other's transpose, misaligned frames included."""
    surroundings = Environment(rng(), S, polarisation=PolarisationDrift(0.4))
    link = FibreLink(Fibre(50.0, misalignment_rad=0.3), environment=surroundings)
    there, back = link.at(3 * S).noise, link.at(3 * S, reverse=True).noise
    assert there is not None
    assert back is not None
    assert np.abs(back - polarisation.backwards(there)).max() < 1e-12
    assert np.abs(back - there).max() > 0.1


def test_phase_encoded_light_feels_the_phase_and_not_the_polarisation() -> None:
    surroundings = Environment(
        rng(),
        S // 1000,
        polarisation=PolarisationDrift(0.4),
        phase=PhaseDrift(2.0),
        vibrations=[Vibration(0.5, 1e6)],
    )
    fibre, pulse = Fibre(50.0), Pulse(duration_ps=1.0)
    phase_way = FibreLink(fibre, pulse, surroundings, encoding="phase").at(S)
    stokes_way = FibreLink(fibre, pulse, surroundings).at(S)
    conditions = surroundings.at(S)
    assert phase_way.noise is not None
    assert stokes_way.noise is not None
    assert phase_way.noise[3, 3] == pytest.approx(1.0)
    visibility = Vibration(0.5, 1e6).visibility
    assert phase_way.noise[1, 1] == pytest.approx(visibility * math.cos(conditions.phase_rad))
    assert phase_way.noise[2, 1] == pytest.approx(visibility * math.sin(conditions.phase_rad))
    pmd = fibre.damage(pulse)
    assert pmd is not None
    assert conditions.rotation is not None
    turn = polarisation.rotation_map(conditions.rotation)
    assert np.allclose(stokes_way.noise, noise.compose(turn, pmd))


def test_warmth_turns_the_phase_by_46_rad_a_metre() -> None:
    weather = Environment(rng(), S, temperature=Temperature(swing_k=1e-3, period_s=4.0))
    way = FibreLink(Fibre(0.001), environment=weather, encoding="phase").at(S).noise
    assert way is not None
    assert math.atan2(way[2, 1], way[1, 1]) == pytest.approx(0.04618, rel=1e-3)


def test_a_spread_pulse_misses_part_of_the_gate() -> None:
    """850 ps rms in a 1 ns gate: erf(1000/(2 sqrt2 850)); with jitter a little less."""
    fibre = Fibre(50.0, pmd_ps_per_sqrt_km=0.0)
    state = FibreLink(fibre, Pulse(duration_ps=4.0, linewidth_nm=1.0)).at(0)
    assert state.spread_ps == pytest.approx(850.0, rel=1e-4)
    assert state.gate_fraction(1.0) == pytest.approx(
        math.erf(1000 / (2 * math.sqrt(2) * 850)), rel=1e-3
    )
    jitter = state.gate_fraction(1.0, jitter_fwhm_ps=350.0)
    spread = math.hypot(850.0, 350 / 2.3548)
    assert jitter == pytest.approx(math.erf(1000 / (2 * math.sqrt(2) * spread)), rel=1e-3)
    assert FibreLink(fibre).at(0).gate_fraction(1.0) == 1.0


def test_classical_channels_in_the_fibre_are_counted_in_both_directions() -> None:
    classical = RamanNoise((ClassicalChannels(0.0, "co", rho_per_km_nm=3e-9),), 0.2, 1550.0)
    link = FibreLink(Fibre(50.0), Pulse(), raman_noise=classical)
    assert link.at(0).noise_rate_hz == pytest.approx(2.341e7, rel=1e-3)
    assert link.at(0, reverse=True).noise_rate_hz == pytest.approx(5.032e7, rel=1e-3)
    per_gate = link.at(0).noise_photons_per_gate(1.0, 0.5, 0.2, detectors=2)
    assert per_gate == pytest.approx(0.02341 * 0.05, rel=1e-3)


def test_a_passage_is_the_same_whatever_was_asked_before() -> None:
    def link() -> FibreLink:
        surroundings = Environment(
            rng(), S // 100, polarisation=PolarisationDrift(1.0), temperature=Temperature(5.0)
        )
        return FibreLink(Fibre(50.0), Pulse(), surroundings)

    def seen(state: Any) -> tuple[Any, ...]:
        return state.delay_s, state.noise.tobytes(), state.valid_until_ns

    times_ns = [0, 3 * S, 50 * S, 3 * S + 1, S]
    asked, fresh = link(), link()
    first = [seen(asked.at(t)) for t in times_ns]
    assert [seen(fresh.at(t)) for t in reversed(times_ns)][::-1] == first
    assert first[1] == first[3]


def test_impossible_links_are_refused() -> None:
    classical = RamanNoise((ClassicalChannels(0.0),), 0.2, 1560.0)
    with pytest.raises(InputError, match="does not pass a filter"):
        FibreLink(Fibre(1.0), Pulse(1550.0), raman_noise=classical)
    encoding: Any = "colour"
    with pytest.raises(InputError, match="encoding"):
        FibreLink(Fibre(1.0), encoding=encoding)
