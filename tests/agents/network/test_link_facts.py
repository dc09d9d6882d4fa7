"""What a link promises, against the link itself."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from qnetem.agents.network.link_facts import best_fidelity, brightest, facts_of
from qnetem.emulator.errors import InputError
from qnetem.emulator.heralding.midpoint import Timing
from qnetem.emulator.heralding.single_click import SingleClick
from qnetem.emulator.states.density_matrix import DensityMatrix
from qnetem.emulator.states.noise import decay
from qnetem.emulator.states.states import bell_vector
from qnetem.emulator.wire import Heralding, LinkInfo

TIMING = Timing(100_000, (20_000, 0), (90_000, 100_000))
MEMORIES = ((3_000_000, 2_000_000), (0, 700_000))
CLICK = SingleClick(
    0.2, 3e-3, 5e-3, TIMING, dark_probability=2e-5, visibility=0.9, double_excitation=0.03
)


def info(link: SingleClick, memories: Any = MEMORIES) -> LinkInfo:
    """What a node knows of the link."""
    attempts = link.attempts()
    density = attempts.density()
    populations = density.diagonal().real.tolist()
    heralding = Heralding(
        attempt_ns=link.timing.attempt_ns,
        heralds_ns=link.timing.heralds_ns,
        ages_ns=link.timing.ages_ns,
        success=attempts.success,
        pair=(*populations, float(density[0, 3].real)),
        memories_ns=memories,
        alpha=link.alpha,
        clicks=link.clicks(),
    )
    return LinkInfo("a-b", "b", True, True, 20.0, 100_000, 100_000, heralding)


def kept(link: SingleClick, storage_ns: int) -> float:
    """The pair's fidelity when both ends have heard, and kept it, by the emulator's own maps."""
    heard_ns = max(link.timing.heralds_ns)
    state: Any = DensityMatrix.from_density(link.attempts().density())
    for half, (t1, t2) in enumerate(MEMORIES):
        stored_ns = heard_ns - link.timing.emissions_ns[half] + storage_ns
        state = state.apply_map(decay(t1 or None, t2 or None, stored_ns), (half,), 0.0)
    return float(state.fidelity(bell_vector()))


@pytest.mark.parametrize("alpha", [0.02, 0.2, 0.45])
@pytest.mark.parametrize("storage_ns", [0, 400_000])
def test_what_is_promised_at_an_alpha_is_what_the_link_heralds(
    alpha: float, storage_ns: int
) -> None:
    promised = facts_of(info(CLICK), alpha, storage_ns)
    tuned = replace(CLICK, alpha=alpha)
    assert promised.success == pytest.approx(tuned.attempts().success, rel=1e-12)
    assert promised.fidelity == pytest.approx(kept(tuned, storage_ns), abs=1e-12)


@pytest.mark.parametrize("fidelity", [0.6, 0.75, 0.82])
def test_the_brightest_setting_is_that_of_the_closed_form(fidelity: float) -> None:
    ideal = ((0, 0), (0, 0))
    assert brightest(info(CLICK, ideal), fidelity) == pytest.approx(
        CLICK.brightest(fidelity), rel=1e-9
    )


def test_beyond_the_best_fidelity_there_is_no_setting() -> None:
    link = info(CLICK)
    best = best_fidelity(link)
    assert brightest(link, best) is not None
    assert brightest(link, best + 1e-3) is None
    found = brightest(link, best - 1e-3)
    assert found is not None
    assert facts_of(link, found).fidelity == pytest.approx(best - 1e-3, abs=1e-9)


def test_any_setting_is_good_enough_for_a_fidelity_that_two_bright_emitters_have() -> None:
    found = brightest(info(CLICK, ((100_000, 0), (100_000, 0))), 0.01)
    assert found is not None and 0.99 < found < 1


def test_the_rate_counts_the_time_until_both_have_heard() -> None:
    success = CLICK.attempts().success
    assert facts_of(info(CLICK)).rate_hz == pytest.approx(success / 100e-6, rel=1e-12)


def test_a_link_without_emitters_has_no_alpha() -> None:
    heralding = Heralding(1000, (1000, 1000), (0, 0), 0.5, (0.5, 0, 0, 0.5, 0.5), ((0, 0), (0, 0)))
    link = LinkInfo("a-b", "b", True, True, 0.0, 0, 0, heralding)
    assert facts_of(link).fidelity == 1.0
    assert best_fidelity(link) == 1.0
    for call in (lambda: facts_of(link, 0.1), lambda: brightest(link, 0.9)):
        with pytest.raises(InputError, match="no bright population"):
            call()
    with pytest.raises(InputError, match="heralds no pairs"):
        facts_of(LinkInfo("a-b", "b", True, False, 0.0, 0, 0))
    assert math.isclose(facts_of(link).rate_hz, 0.5e6)
