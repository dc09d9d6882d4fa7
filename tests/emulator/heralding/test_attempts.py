from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.heralding.attempts import (
    Attempts,
    HeraldedSource,
    SimpleLink,
    attempts_until_success,
    in_frame,
)
from qnetem.emulator.heralding.double_click import DoubleClick
from qnetem.emulator.heralding.midpoint import MidpointSource, meet_in_the_middle
from qnetem.emulator.heralding.single_click import SingleClick
from qnetem.emulator.heralding.timing import Success, Timing
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.optics.fibre import Fibre
from qnetem.emulator.states.states import bell_density, bell_vector, werner


class Fixed(np.random.Generator):
    """A generator whose next uniform number is known."""

    def __init__(self, u: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.u = u

    def random(self, *args: object, **kwargs: object) -> float:  # type: ignore[override]
        return self.u


TIMING = Timing(1000, (600, 700), (1000, 900))
#: A source of each kind, with the number of draws that an outcome costs.
SOURCES: list[tuple[HeraldedSource, int]] = [
    (SimpleLink(0.01, 0.9, 1000, 300), 1),
    (SingleClick(0.1, 0.1, 0.1, TIMING).attempts(), 2),
    (DoubleClick(0.1, 0.1, TIMING).attempts(), 2),
    (MidpointSource.between(Fibre(1), Fibre(2), 100, 0.1).attempts(), 1),
]
KINDS = ["simple", "single click", "double click", "midpoint source"]


def rng() -> np.random.Generator:
    return Streams(11).of("link", "alice-bob")


def test_attempts_are_geometric() -> None:
    generator, count = rng(), 40_000
    drawn = Counter(attempts_until_success(0.3, generator) for _ in range(count))
    for attempt in range(1, 8):
        expected = 0.3 * 0.7 ** (attempt - 1)
        deviation = math.sqrt(count * expected * (1 - expected))
        assert abs(drawn[attempt] - count * expected) < 4 * deviation


@pytest.mark.parametrize("success", [0.5, 1e-3, 1e-12])
def test_the_mean_is_one_over_p_for_the_smallest_p_too(success: float) -> None:
    generator, count = rng(), 20_000
    drawn = [attempts_until_success(success, generator) or 0 for _ in range(count)]
    assert abs(sum(drawn) / count * success - 1) < 4 / math.sqrt(count)


def test_the_draw_is_the_exact_inverse_of_the_distribution() -> None:
    """P(n <= 2) = 0.75 for p = 1/2: the border lies between 2 and 3."""
    assert attempts_until_success(0.5, Fixed(0.0)) == 1
    assert attempts_until_success(0.5, Fixed(0.4999)) == 1
    assert attempts_until_success(0.5, Fixed(0.7499)) == 2
    assert attempts_until_success(0.5, Fixed(0.7501)) == 3


def test_certain_and_impossible_success() -> None:
    assert attempts_until_success(1.0, Fixed(0.999)) == 1
    assert attempts_until_success(0.0, Fixed(0.5)) is None
    assert attempts_until_success(5e-324, Fixed(0.999)) is None


@pytest.mark.parametrize("success", [0.0, 1e-9, 0.5, 1.0])
def test_every_outcome_costs_exactly_one_draw(success: float) -> None:
    generator, reference = rng(), rng()
    attempts_until_success(success, generator)
    reference.random()
    assert generator.random() == reference.random()


@pytest.mark.parametrize(
    ("attempt_ns", "delay_ns", "herald_ns"),
    [
        (1000, 300, 2000),
        (1000, 1000, 2000),
        (1000, 4000, 5000),
        (1, 4_896_721, 4_896_722),
        (1000, 0, 2000),
    ],
)
def test_a_pair_is_as_old_at_its_herald_as_light_needs(
    attempt_ns: int, delay_ns: int, herald_ns: int
) -> None:
    """The second attempt succeeds: shorter ones than light needs do not wait for the first one's herald."""
    success = SimpleLink(0.5, 0.9, attempt_ns, delay_ns).draw(Fixed(0.7499))
    assert success is not None
    assert success.heralds_ns == (herald_ns, herald_ns)
    assert success.herald_ns - success.emission_ns == delay_ns


def test_a_link_that_cannot_succeed_schedules_nothing() -> None:
    assert SimpleLink(0.0, 0.9, 1000, 0).draw(rng()) is None


def test_the_pair_is_werner_with_the_links_fidelity() -> None:
    link = SimpleLink(0.5, 0.93, 1000, 0)
    weights = [np.vdot(v, link.density() @ v).real for v in map(bell_vector, range(4))]
    assert weights == pytest.approx([0.93] + [0.07 / 3] * 3)
    with pytest.raises(ValueError, match="read-only"):
        link.density()[0, 0] = 2.0


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ((1.1, 0.9, 1000, 0), "success"),
        ((math.nan, 0.9, 1000, 0), "success"),
        ((0.5, -0.1, 1000, 0), "fidelity"),
        ((0.5, 0.9, 0, 0), "attempt"),
        ((0.5, 0.9, 1000, -1), "delay"),
    ],
)
def test_an_impossible_link_is_refused(wrong: tuple[float, float, int, int], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        SimpleLink(*wrong)


# --- every kind ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "draws"), SOURCES, ids=KINDS)
def test_every_outcome_of_a_kind_costs_the_same_draws(source: HeraldedSource, draws: int) -> None:
    generator, reference = rng(), rng()
    for _ in range(10):
        assert source.draw(generator) is not None
        for _ in range(draws):
            reference.random()
    assert generator.random() == reference.random()


def test_a_link_that_cannot_succeed_costs_the_same_draws_too() -> None:
    generator, reference = rng(), rng()
    assert SingleClick(0.1, 0.0, 0.0, TIMING).attempts().draw(generator) is None
    assert SingleClick(0.1, 0.1, 0.1, TIMING).attempts().draw(reference) is not None
    assert generator.random() == reference.random()


@pytest.mark.parametrize(("source", "_draws"), SOURCES, ids=KINDS)
def test_every_kind_answers_what_a_request_needs(source: HeraldedSource, _draws: int) -> None:
    success = source.draw(rng())
    assert success is not None
    for emission_ns, herald_ns in zip(success.emissions_ns, success.heralds_ns, strict=True):
        assert 0 <= emission_ns <= herald_ns <= success.herald_ns
        assert success.emission_ns <= emission_ns
    assert source.attempt_ns >= 1 and 0 < source.success < 1
    phi_plus, raw = bell_vector(0), source.density(success.bell)
    assert np.vdot(phi_plus, source.density() @ phi_plus).real == pytest.approx(source.fidelity)
    heralded = bell_vector(success.bell)
    assert np.vdot(heralded, raw @ heralded).real == pytest.approx(source.fidelity)
    for density in (raw, source.density()):
        assert density.shape == (4, 4) and not density.flags.writeable
        assert np.trace(density).real == pytest.approx(1)


def test_each_end_has_its_own_times() -> None:
    """Station 100 ns and 300 ns away: the far end emits first and hears last."""
    attempts = Attempts(1.0, meet_in_the_middle(0, 100, 300), werner(0.9))
    success = attempts.draw(rng())
    assert success == Success((400, 600), (200, 0))
    assert (success.herald_ns, success.emission_ns) == (600, 0)
    assert attempts.timing.success_in(4, bell=3) == Success((2200, 2400), (2000, 1800), 3, 1800)


@pytest.mark.parametrize("bell", range(4))
def test_a_frame_is_the_pauli_of_the_bell_index(bell: int) -> None:
    np.testing.assert_allclose(in_frame(bell_density(0), bell), bell_density(bell), atol=1e-12)
    np.testing.assert_allclose(in_frame(bell_density(bell), bell), bell_density(0), atol=1e-12)


@pytest.mark.parametrize(
    ("attempt_ns", "emissions_ns", "heralds_ns"),
    [(0, (0, 0), (0, 0)), (10, (-1, 0), (5, 5)), (10, (0, 6), (5, 5))],
)
def test_impossible_times_are_refused(
    attempt_ns: int, emissions_ns: tuple[int, int], heralds_ns: tuple[int, int]
) -> None:
    with pytest.raises(InputError, match="expected"):
        Timing(attempt_ns, emissions_ns, heralds_ns)
