"""Waiting for heralded pairs, for the report: attempts drawn by the kernel that the links use.

Owns what is waited for and the spread of it by theory. Does not own the draws (heralding/attempts.py).
Counts are attempts; links attempt in step.
"""

from __future__ import annotations

import math
from functools import lru_cache

from ...emulator.heralding.attempts import attempts_until_success
from ..vectors import Sample, generator

_ROUNDS = 20_000


@lru_cache(maxsize=16)
def attempts(success: float, links: int, rounds: int) -> tuple[tuple[int, ...], ...]:
    """Attempts that each of `links` links needs, round after round."""
    rng = generator(f"attempts {success} {links}")
    drawn = [attempts_until_success(success, rng) or 0 for _ in range(links * rounds)]
    return tuple(tuple(drawn[at : at + links]) for at in range(0, len(drawn), links))


def slowest(success: float, links: int, rounds: int = _ROUNDS) -> Sample:
    """Mean attempts until all links have a pair."""
    drawn = [max(each) for each in attempts(success, links, rounds)]
    mean, square = _moments_of_slowest(success, links)
    return Sample(math.fsum(drawn) / rounds, rounds, math.sqrt(square - mean**2))


def _moments_of_slowest(success: float, links: int) -> tuple[float, float]:
    """Mean and mean square: P(max > n) from n = 0 on gives both."""
    late = [1 - (1 - (1 - success) ** n) ** links for n in range(math.ceil(60 / success))]
    return math.fsum(late), math.fsum((2 * n + 1) * chance for n, chance in enumerate(late))


# --- two links ------------------------------------------------------------------------------------


def _lags(success: float) -> list[int]:
    return [abs(first - second) for first, second in attempts(success, 2, _ROUNDS)]


def lag(success: float) -> Sample:
    """Mean difference of two links' attempts."""
    fail = 1 - success
    square = 2 * fail * (1 + fail) / (success**2 * (2 - success))
    spread = math.sqrt(square - (2 * fail / (success * (2 - success))) ** 2)
    return Sample(math.fsum(_lags(success)) / _ROUNDS, _ROUNDS, spread)


def together(success: float) -> Sample:
    """How often both links succeed in the same attempt."""
    return Sample(_lags(success).count(0) / _ROUNDS, _ROUNDS)


def decayed(success: float, rate: float) -> Sample:
    """Mean of exp(-rate |d|): what is left of the coherence of the earlier pair."""
    mean, square = (_mean_decay(success, power * rate) for power in (1, 2))
    kept = math.fsum(math.exp(-rate * each) for each in _lags(success)) / _ROUNDS
    return Sample(kept, _ROUNDS, math.sqrt(square - mean**2))


def _mean_decay(success: float, rate: float) -> float:
    return math.fsum(
        _lag_chance(success, k) * math.exp(-rate * k) for k in range(math.ceil(60 / success))
    )


def _lag_chance(success: float, lag: int) -> float:
    chance = success * (1 - success) ** lag / (2 - success)
    return chance if lag == 0 else 2 * chance


# --- cut-offs and swaps ---------------------------------------------------------------------------


@lru_cache(maxsize=4)
def with_cutoff(success: float, cutoff: int, rounds: int = _ROUNDS) -> tuple[Sample, Sample]:
    """(attempts in all, attempts that the earlier pair was kept) of two links with a cut-off.

    A pair that has waited for `cutoff` attempts is dropped, and both links begin anew.
    """
    rng = generator(f"cut-off {success} {cutoff}")
    taken, kept = 0, 0
    for _ in range(rounds):
        while True:
            first, second = (attempts_until_success(success, rng) or 0 for _ in range(2))
            waited = abs(first - second)
            taken += min(first, second) + min(waited, cutoff)
            if waited <= cutoff:
                kept += waited
                break
    spreads = _spreads_with_cutoff(success, cutoff)
    return Sample(taken / rounds, rounds, spreads[0]), Sample(kept / rounds, rounds, spreads[1])


def _spreads_with_cutoff(success: float, cutoff: int) -> tuple[float, float]:
    """Of both: rounds are independent, and in each the first pair's wait of what follows it."""
    chances = [_lag_chance(success, k) for k in range(cutoff + 1)]
    accepted = math.fsum(chances)
    either = 1 - (1 - success) ** 2
    first, first_square = 1 / either, (2 - either) / either**2
    short, short_square = (
        math.fsum(k**n * chance for k, chance in enumerate(chances)) for n in (1, 2)
    )
    wait, wait_square = (
        moment + cutoff**n * (1 - accepted) for n, moment in ((1, short), (2, short_square))
    )
    mean = (first + wait) / accepted
    round_square = first_square + 2 * first * wait + wait_square
    square = (round_square + 2 * (1 - accepted) * (first + cutoff) * mean) / accepted
    kept = short_square / accepted - (short / accepted) ** 2
    return math.sqrt(square - mean**2), math.sqrt(kept)


def swapped(success: float, swap: float, rounds: int = _ROUNDS) -> Sample:
    """Mean attempts until two links have pairs whose join succeeds, with probability `swap`."""
    rng = generator(f"swapped {success} {swap}")
    taken = 0
    for _ in range(rounds):
        while True:
            taken += max(attempts_until_success(success, rng) or 0 for _ in range(2))
            if rng.random() < swap:
                break
    mean, square = _moments_of_slowest(success, 2)
    spread = math.sqrt((square - mean**2) / swap + mean**2 * (1 - swap) / swap**2)
    return Sample(taken / rounds, rounds, spread)
