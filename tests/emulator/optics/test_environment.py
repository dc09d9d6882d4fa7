from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.errors import InputError
from qnetem.emulator.optics import environment
from qnetem.emulator.optics.environment import BLOCK, Conditions, Environment, Temperature
from qnetem.emulator.optics.phase import PhaseDrift, Vibration
from qnetem.emulator.optics.polarisation import PolarisationDrift

from ...counts import rounds_of

MS = 1_000_000
S = 1_000_000_000
EVERYTHING: dict[str, Any] = {
    "polarisation": PolarisationDrift(0.5),
    "phase": PhaseDrift(2.0),
    "vibrations": (Vibration(0.3, 7.0), Vibration(0.2, 50_000.0)),
    "temperature": Temperature(swing_k=5.0, period_s=60.0, fluctuation_k=0.5, correlation_s=2.0),
}


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def everything(seed: int = 1, grid_ns: int = MS) -> Environment:
    return Environment(rng(seed), grid_ns, **EVERYTHING)


def values(conditions: Conditions) -> tuple[Any, ...]:
    """Every bit of it."""
    assert conditions.rotation is not None
    return (
        conditions.since_ns,
        conditions.phase_rad,
        conditions.temperature_k,
        conditions.visibility,
        conditions.rotation.tobytes(),
    )


# --- determinism ---


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 6 * BLOCK * MS), min_size=1, max_size=8))
def test_the_value_at_a_time_is_the_same_whatever_was_asked_before(times_ns: list[int]) -> None:
    asked = everything()
    got = {t_ns: values(asked.at(t_ns)) for t_ns in times_ns}
    again = {t_ns: values(asked.at(t_ns)) for t_ns in reversed(times_ns)}
    assert got == again
    for t_ns in times_ns[:2]:
        assert values(everything().at(t_ns)) == got[t_ns]


def test_a_block_that_was_dropped_comes_back_the_same() -> None:
    path = everything()
    early = [values(path.at(cell * MS)) for cell in range(0, BLOCK, 500)]
    path.at((environment.KEPT_BLOCKS + 3) * BLOCK * MS)
    assert [values(path.at(cell * MS)) for cell in range(0, BLOCK, 500)] == early


def test_memory_does_not_grow_with_the_cells() -> None:
    path = environment._wiener([1, 2, 3, 4], PhaseDrift(1.0), 1e-3)
    for block in range(20):
        path.at(block * BLOCK)
        assert len(path._blocks) <= environment.KEPT_BLOCKS


def test_the_path_runs_on_over_the_edge_of_a_block() -> None:
    """At an edge, the step is a step like any other: 2 sqrt(D dt) is no outlier, a restart would be."""
    path = Environment(rng(), MS, phase=PhaseDrift(1000.0))
    phases = [path.at(cell * MS).phase_rad for cell in range(4 * BLOCK + 1)]
    steps = np.diff(phases)
    assert np.abs(steps[BLOCK - 1 :: BLOCK]).max() < 4.0
    assert abs(phases[BLOCK]) > 10.0
    assert steps.std() == pytest.approx(1.0, rel=0.05)


def test_no_block_repeats_the_draws_of_another() -> None:
    path = Environment(rng(), MS, phase=PhaseDrift(1000.0))
    steps = np.diff([path.at(cell * MS).phase_rad for cell in range(3 * BLOCK + 1)])
    first, second, third = steps.reshape(3, BLOCK)
    for one, other in ((first, second), (first, third), (second, third)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(BLOCK)


def test_seeds_differ_and_making_one_costs_four_words() -> None:
    assert values(everything(1).at(S)) != values(everything(2).at(S))
    used, reference = rng(), rng()
    path = Environment(used, MS, **EVERYTHING)
    path.at(100 * S)
    reference.integers(0, 2**32, size=4, dtype=np.uint32)
    assert used.random() == reference.random()


def test_one_effect_shifts_no_other_ones_draws() -> None:
    both = Environment(
        rng(), MS, phase=EVERYTHING["phase"], polarisation=EVERYTHING["polarisation"]
    )
    alone = Environment(rng(), MS, phase=EVERYTHING["phase"])
    assert both.at(3 * S).phase_rad == alone.at(3 * S).phase_rad


def test_nothing_changes_inside_a_cell() -> None:
    path = everything(grid_ns=1000)
    first = values(path.at(5000))
    assert values(path.at(5999)) == first
    assert path.at(5999).since_ns == 5000
    assert path.next_change_ns(5000) == path.next_change_ns(5999) == 6000
    assert values(path.at(6000)) != first


def test_a_quiet_environment_stays_as_it_was_built() -> None:
    assert Environment(rng(), MS).at(50 * S) == Conditions(50 * S)
    assert Environment(rng(), MS).at(50 * S).rotation is None


def test_all_is_aligned_at_time_zero() -> None:
    start = Environment(rng(), MS, phase=PhaseDrift(5.0), polarisation=PolarisationDrift(5.0)).at(0)
    assert start.phase_rad == 0.0
    assert start.rotation == pytest.approx(np.eye(3))


# --- statistics ---


@pytest.mark.papers
@pytest.mark.parametrize(("t_s", "grid_ns"), [(0.5, 50 * MS), (2.0, 50 * MS), (2.0, S)])
def test_polarisation_is_forgotten_as_the_closed_form_says(t_s: float, grid_ns: int) -> None:
    """<F(t)> = (1 + exp(-sigma^2 t))/2 over many environments, on fine and coarse grids alike."""
    drift, count = PolarisationDrift(0.6), rounds_of(500, 1500)
    fidelities = []
    for seed in range(count):
        rotation = Environment(rng(seed), grid_ns, polarisation=drift).at(round(t_s * S)).rotation
        assert rotation is not None
        fidelities.append((1 + rotation[2, 2]) / 2)
    error = np.std(fidelities) / math.sqrt(count)
    assert abs(np.mean(fidelities) - drift.fidelity(t_s)) < 3 * error


def test_rotations_stay_rotations() -> None:
    path = Environment(rng(), MS, polarisation=PolarisationDrift(10.0))
    for t_ns in (MS, S, 30 * S):
        rotation = path.at(t_ns).rotation
        assert rotation is not None
        assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_phase_drift_leaves_the_visibility_of_the_closed_form() -> None:
    """V = exp(-D t/2) over N = 2000 environments; the variance is D t."""
    drift, count = PhaseDrift(0.8), 2000
    phases = np.array(
        [Environment(rng(seed), 100 * MS, phase=drift).at(S).phase_rad for seed in range(count)]
    )
    cosines = np.cos(phases)
    assert abs(cosines.mean() - drift.visibility(1.0)) < 3 * cosines.std() / math.sqrt(count)
    assert abs(phases.var() - 0.8) < 3 * 0.8 * math.sqrt(2 / count)


def test_a_slow_vibration_is_followed_and_averages_to_j0() -> None:
    vibration = Vibration(1.3, 10.0)
    path = Environment(rng(), MS, vibrations=[vibration])
    phases = np.array([path.at(cell * MS).phase_rad for cell in range(1000)])
    assert path.at(0).visibility == 1.0
    assert np.cos(phases).mean() == pytest.approx(vibration.visibility, rel=1e-6)
    assert phases.max() == pytest.approx(1.3, rel=1e-2)
    assert phases[:100] == pytest.approx(phases[100:200])


def test_a_vibration_faster_than_the_grid_is_averaged() -> None:
    slow, fast = Vibration(1.3, 500.0), Vibration(0.4, 500.1)
    path = Environment(rng(), MS, vibrations=[slow, fast])
    alone = Environment(rng(), MS, vibrations=[fast])
    assert path.at(S).visibility == pytest.approx(fast.visibility)
    assert alone.at(S).phase_rad == 0.0
    assert alone.at(S).visibility == pytest.approx(0.9604, rel=1e-4)


def test_temperature_swings_with_its_period() -> None:
    path = Environment(rng(), S, temperature=Temperature(swing_k=8.0, period_s=400.0))
    assert path.at(0).temperature_k == 0.0
    assert path.at(100 * S).temperature_k == pytest.approx(8.0)
    assert path.at(300 * S).temperature_k == pytest.approx(-8.0)


def test_temperature_fluctuates_with_its_rms_and_forgets_in_its_time() -> None:
    """Over N = 2000 environments: rms at both times, correlation exp(-t/tau) between them."""
    weather, count = Temperature(fluctuation_k=0.5, correlation_s=10.0), 2000
    pairs = np.empty((count, 2))
    for seed in range(count):
        path = Environment(rng(seed), S, temperature=weather)
        pairs[seed] = path.at(0).temperature_k, path.at(5 * S).temperature_k
    assert np.abs(pairs.std(axis=0) - 0.5).max() < 3 * 0.5 / math.sqrt(2 * count)
    expected = math.exp(-0.5)
    correlation = np.corrcoef(pairs.T)[0, 1]
    assert abs(correlation - expected) < 3 * (1 - expected**2) / math.sqrt(count)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (lambda: Environment(rng(), 0), "grid_ns"),
        (lambda: Environment(rng(), MS).at(-1), "-1 ns"),
        (lambda: Temperature(swing_k=-1.0), "swing_k"),
        (lambda: Temperature(swing_k=201.0), "swing_k"),
        (lambda: Temperature(fluctuation_k=math.nan), "fluctuation_k"),
        (lambda: Temperature(period_s=0.0), "period_s"),
        (lambda: Temperature(correlation_s=-1.0), "correlation_s"),
    ],
)
def test_an_impossible_environment_is_refused(wrong: Any, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        wrong()
