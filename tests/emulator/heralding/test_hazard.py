"""Attempts whose chances change with time: one draw over all stretches, in a rhythm of their own."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.heralding.attempts import Attempts
from qnetem.emulator.heralding.hazard import ChangingAttempts, Stretch, Times
from qnetem.emulator.heralding.timing import Success, Timing
from qnetem.emulator.states.states import werner


def attempts(success: float, length: int) -> Attempts:
    return Attempts(success, Timing(length, (1, 2), (length, 3)), werner(1 - success))


#: (until, success, length); no success: closed.
STRETCHES = [(100, None, 0), (163, 0.02, 7), (170, 0.5, 90), (400, None, 0), (1000, 0.004, 3)]
HORIZON = 1200


class Written:
    """A way that is written down."""

    ends_ns: int | None = 1000
    horizon_ns = HORIZON

    def __init__(self) -> None:
        self.made = [None if p is None else attempts(p, length) for _, p, length in STRETCHES]

    def stretch(self, t_ns: int) -> Stretch:
        for (until, *_), made in zip(STRETCHES, self.made, strict=True):
            if t_ns < until:
                return Stretch(until, made)
        return Stretch(HORIZON, None)

    def times(self, begins_ns: int, made: Attempts) -> Times:
        success = made.timing.success_in(1)
        (a, b), (c, d) = success.emissions_ns, success.heralds_ns
        return Times((begins_ns + a, begins_ns + b), (begins_ns + c, begins_ns + d))


SOURCE = ChangingAttempts(Written(), attempts(0.01, 90))


def chain(start: int) -> list[tuple[int, float, int]]:
    """All attempts from `start` on, one by one: (begin, success, length)."""
    found, t = [], start
    while t < HORIZON:
        stretch = SOURCE.way.stretch(t)
        if stretch.attempts is None:
            t = stretch.until_ns
            continue
        found.append((t, stretch.attempts.success, stretch.attempts.attempt_ns))
        t += stretch.attempts.attempt_ns
    return found


@pytest.mark.parametrize("start", [0, 101, 165, 990])
def test_the_attempt_that_succeeds_is_drawn_as_if_each_had_been_tried(start: int) -> None:
    rng = np.random.default_rng(5)
    drawn = [SOURCE.draw(rng, start) for _ in range(20_000)]
    begins = [None if each is None else start + each.begins_ns for each in drawn]
    counted = {each: begins.count(each) for each in set(begins)}
    left, expected = 1.0, {}
    for begin, success, _ in chain(start):
        expected[begin] = left * success * len(drawn)
        left *= 1 - success
    assert counted.get(None, 0) == pytest.approx(left * len(drawn), abs=4.5 * math.sqrt(20_000 / 4))
    assert set(counted) - {None} <= set(expected)
    often = [begin for begin, mean in expected.items() if mean > 10]
    chi2 = sum((counted.get(b, 0) - expected[b]) ** 2 / expected[b] for b in often)
    assert chi2 < len(often) + 4.5 * math.sqrt(2 * len(often)) + 5


@given(st.integers(0, HORIZON), st.integers(0, HORIZON + 100))
@settings(max_examples=200, deadline=None)
def test_the_rhythm_is_the_chain_of_attempts(start: int, now: int) -> None:
    begins = [begin for begin, *_ in chain(start)]
    assert SOURCE.first_ns(start) == (begins[0] if begins else None)
    assert SOURCE.begun(start, now) == sum(begin < now for begin in begins)
    emits = SOURCE.emits_ns(start)
    assert emits == (begins[0] + 1 if begins else None)
    later = [begin for begin in begins if begin + 1 >= now]
    resumed = SOURCE.resumes_ns(start, now)
    assert resumed == (later[0] if later else resumed) and resumed >= start
    if not later:
        assert SOURCE.resumes_ns(start, now) >= min(now, HORIZON)


@given(st.integers(0, 900))
@settings(max_examples=15, deadline=None)
def test_what_follows_a_success_is_the_next_attempt_of_the_chain(start: int) -> None:
    begins = [begin for begin, *_ in chain(start)]
    for here, after in pairwise(begins):
        success = Success((0, 0), (0, 0), 0, here - start)
        assert SOURCE.first_ns(SOURCE.after(start, success)) == after
    assert [each for each, *_ in chain(begins[len(begins) // 2])] == begins[len(begins) // 2 :]


def test_a_block_is_draws_one_after_the_other_each_from_the_herald_before() -> None:
    u = np.random.default_rng(2).random(40) * 0.3
    found = SOURCE.successes(u, 0, 900)
    t, begins = 100, []
    for each in u:
        success = SOURCE.draw(_Fixed(float(each)), t)  # type: ignore[arg-type]
        if success is None or t + success.herald_ns > 100 + 900:
            break
        begins.append(t + success.begins_ns)
        t += success.herald_ns
    assert found.begins_ns.tolist() == begins and len(begins) > 2
    assert [pair.fidelity for pair in found.pairs] == [
        SOURCE.way.stretch(begin).attempts.fidelity  # type: ignore[union-attr]
        for begin in begins
    ]
    kept = found.those(np.arange(len(begins)) > 0)
    assert kept.begins_ns.tolist() == begins[1:] and len(kept.pairs) == len(begins) - 1


class _Fixed:
    def __init__(self, u: float) -> None:
        self._u = u

    def random(self) -> float:
        return self._u
