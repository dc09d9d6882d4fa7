"""The weather of a fibre: polarisation, phase and temperature as they wander in virtual time.

Owns sample paths. Does not own what they do to light (polarisation.py, phase.py, fibre.py) nor when a
link asks.

Theory of operation. Time is cut into cells of `grid_ns`; in one cell nothing changes. A path is
generated in blocks of cells, each block from a generator of its own (seeded by the environment's
entropy, the path and the block's number) and from where the block before it ended. Blocks come into
being when a link asks, in ascending order; their ends are kept, their cells only while in use.

Rules: the value at time t depends on seed, parameters and t, never on what was asked before. Making an
environment draws four words from the given generator, whatever happens in it. What the grid cannot
follow is averaged, and said so (`Conditions.visibility`). A first question at time t costs t/grid
steps (some millions a second): choose a grid as fine as the drift, not as the photons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dispersion import check_positive
from .phase import PhaseDrift, Vibration
from .polarisation import (
    PolarisationDrift,
    Rotation,
    accumulated,
    quaternion_products,
    rotation_of,
    walk_steps,
)

#: Cells generated at a time.
BLOCK = 4096
#: Blocks whose cells are kept: two would do for a link asked from both ends.
KEPT_BLOCKS = 4
LARGEST_CHANGE_K = 200

_Values = NDArray[np.float64]
#: (start, rng) -> the BLOCK values that follow `start`, shape (BLOCK, k).
_Advance = Callable[[_Values, np.random.Generator], _Values]


@dataclass(frozen=True, slots=True)
class Temperature:
    """How far a fibre's temperature is from the one its delay was stated for, over time.

    A swing `swing_k` sin(2 pi t/`period_s`), as of day and night, plus a fluctuation of rms
    `fluctuation_k` that forgets itself in `correlation_s` (an Ornstein-Uhlenbeck process, stationary
    from the start). Raises InputError for sizes outside 0 to 200 K and times that are not positive.
    """

    swing_k: float = 0.0
    period_s: float = 86_400.0
    fluctuation_k: float = 0.0
    correlation_s: float = 600.0

    def __post_init__(self) -> None:
        for name, size_k in (("swing_k", self.swing_k), ("fluctuation_k", self.fluctuation_k)):
            if not 0 <= size_k <= LARGEST_CHANGE_K:
                raise InputError(
                    f"temperature: {name} is {size_k}, expected 0 to {LARGEST_CHANGE_K}"
                )
        check_positive("temperature: period_s", self.period_s)
        check_positive("temperature: correlation_s", self.correlation_s)

    def swing_at_k(self, time_s: float) -> float:
        """The regular part at `time_s`."""
        return self.swing_k * math.sin(2 * math.pi * time_s / self.period_s)


@dataclass(frozen=True, slots=True)
class Conditions:
    """A fibre's surroundings in one cell of the grid, which begins at `since_ns`.

    `phase_rad` is drift and slow vibration (not temperature, which scales with the length);
    `temperature_k` is a difference; `visibility` the product of J0 of the vibrations that the grid
    cannot follow; `rotation` turns Bloch vectors, shape (3, 3), None if polarisation does not drift.
    """

    since_ns: int
    phase_rad: float = 0.0
    temperature_k: float = 0.0
    visibility: float = 1.0
    rotation: Rotation | None = field(default=None, compare=False)


class Environment:
    """A fibre's surroundings as functions of virtual time, one sample path per seed.

    All is aligned at time 0: rotation none, drifted phase 0. `rng` gives four words and is not kept.
    A vibration with fewer than two cells a period is averaged instead of followed.
    Raises InputError for a grid below 1 ns.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        grid_ns: int,
        *,
        polarisation: PolarisationDrift | None = None,
        phase: PhaseDrift | None = None,
        vibrations: Sequence[Vibration] = (),
        temperature: Temperature | None = None,
    ) -> None:
        if grid_ns < 1:
            raise InputError(f"environment: grid_ns is {grid_ns}, expected at least 1")
        self.grid_ns = grid_ns
        words = [int(word) for word in rng.integers(0, 2**32, size=4, dtype=np.uint32)]
        step_s = grid_ns * 1e-9
        self._polarisation = None if polarisation is None else _walk(words, polarisation, step_s)
        self._phase = None if phase is None else _wiener(words, phase, step_s)
        self._temperature = temperature
        self._fluctuation = None
        if temperature is not None and temperature.fluctuation_k:
            self._fluctuation = _ornstein_uhlenbeck(words, temperature, step_s)
        offsets = _generator(words, _OFFSETS).random(len(vibrations)) * 2 * math.pi
        follows = [2 * step_s * vibration.frequency_hz <= 1 for vibration in vibrations]
        self._vibrations = [
            (vibration, float(offset))
            for vibration, offset, slow in zip(vibrations, offsets, follows, strict=True)
            if slow
        ]
        self._visibility = math.prod(
            vibration.visibility
            for vibration, slow in zip(vibrations, follows, strict=True)
            if not slow
        )
        self._latest: Conditions | None = None

    def at(self, t_ns: int) -> Conditions:
        """The surroundings at `t_ns`, from 0: those of the cell it lies in. Raises InputError before 0."""
        if t_ns < 0:
            raise InputError(f"an environment has no time {t_ns} ns, expected 0 or later")
        cell = t_ns // self.grid_ns
        if self._latest is None or self._latest.since_ns != cell * self.grid_ns:
            self._latest = self._conditions(cell)
        return self._latest

    def next_change_ns(self, t_ns: int) -> int:
        """When the cell of `t_ns` ends and the next begins."""
        return (t_ns // self.grid_ns + 1) * self.grid_ns

    def _conditions(self, cell: int) -> Conditions:
        time_s = cell * self.grid_ns * 1e-9
        phase_rad = 0.0 if self._phase is None else float(self._phase.at(cell)[0])
        for vibration, offset in self._vibrations:
            turn = 2 * math.pi * vibration.frequency_hz * time_s + offset
            phase_rad += vibration.amplitude_rad * math.sin(turn)
        temperature_k = 0.0 if self._temperature is None else self._temperature.swing_at_k(time_s)
        if self._fluctuation is not None:
            temperature_k += float(self._fluctuation.at(cell)[0])
        rotation = None
        if self._polarisation is not None:
            rotation = rotation_of(self._polarisation.at(cell))
        return Conditions(cell * self.grid_ns, phase_rad, temperature_k, self._visibility, rotation)

    def __repr__(self) -> str:
        return f"<Environment on a grid of {self.grid_ns} ns, latest {self._latest}>"


# --- sample paths ---------------------------------------------------------------------------------

#: Each path's place among the generators of an environment.
_POLARISATION, _PHASE, _TEMPERATURE, _OFFSETS = range(4)


class SamplePath:
    """A Markov process on the grid, generated lazily in blocks.

    `at(cell)` depends on the arguments here and on `cell` alone. Asking far ahead generates what lies
    between; asking back generates one block again from the kept end of the block before it.
    """

    def __init__(self, words: Sequence[int], place: int, start: _Values, advance: _Advance) -> None:
        self._words, self._place, self._advance = list(words), place, advance
        #: Value at the first cell of each block reached so far.
        self._starts = [start]
        self._blocks: dict[int, _Values] = {}

    def at(self, cell: int) -> _Values:
        """The value in that cell, shape (k,)."""
        block, index = divmod(cell, BLOCK)
        while len(self._starts) <= block:
            self._generate(len(self._starts) - 1)
        values = self._blocks.get(block)
        if values is None:
            values = self._generate(block)
        value: _Values = values[index]
        return value

    def _generate(self, block: int) -> _Values:
        start = self._starts[block]
        following = self._advance(start, _generator(self._words, self._place, block))
        if len(self._starts) == block + 1:
            self._starts.append(following[-1].copy())
        values = np.concatenate([start[np.newaxis], following[:-1]])
        while len(self._blocks) >= KEPT_BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        self._blocks[block] = values
        return values


def _generator(words: Sequence[int], *key: int) -> np.random.Generator:
    seed = np.random.SeedSequence(list(words), spawn_key=key)
    return np.random.Generator(np.random.PCG64(seed))


def _wiener(words: Sequence[int], drift: PhaseDrift, step_s: float) -> SamplePath:
    step_rad = math.sqrt(drift.variance_rad2(step_s))

    def advance(start: _Values, rng: np.random.Generator) -> _Values:
        return start + np.cumsum(step_rad * rng.normal(size=(BLOCK, 1)), axis=0)

    return SamplePath(words, _PHASE, np.zeros(1), advance)


def _ornstein_uhlenbeck(
    words: Sequence[int], temperature: Temperature, step_s: float
) -> SamplePath:
    """Exact at the grid points: x' = a x + rms sqrt(1 - a^2) xi with a = exp(-step/correlation)."""
    rms_k = temperature.fluctuation_k
    keep = math.exp(-step_s / temperature.correlation_s)
    kick_k = rms_k * math.sqrt(-math.expm1(-2 * step_s / temperature.correlation_s))

    def advance(start: _Values, rng: np.random.Generator) -> _Values:
        value, path = float(start[0]), []
        for kick in (kick_k * rng.normal(size=BLOCK)).tolist():
            value = keep * value + kick
            path.append(value)
        return np.array(path)[:, np.newaxis]

    start = rms_k * _generator(words, _TEMPERATURE).normal(size=1)
    return SamplePath(words, _TEMPERATURE, start, advance)


def _walk(words: Sequence[int], drift: PolarisationDrift, step_s: float) -> SamplePath:
    angle_rad = drift.step_angle_rad(step_s)

    def advance(start: _Values, rng: np.random.Generator) -> _Values:
        turns = accumulated(walk_steps(angle_rad, BLOCK, rng))
        return quaternion_products(turns, start[np.newaxis])

    return SamplePath(words, _POLARISATION, np.array([1.0, 0.0, 0.0, 0.0]), advance)
