"""What a reference vector is, and when the emulator agrees with it.

Owns vectors, tolerances and verdicts. Does not own the vectors themselves (sections/) nor how
they look (report.py). Rule: `compute` runs the emulator's own code and knows nothing of the expected number;
where it draws, its generator comes from `generator` and so does the same every time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, ParamSpec

import numpy as np

from ..emulator.kernel.streams import Streams

_P = ParamSpec("_P")

#: The seed of every vector that draws.
SEED = 2718


class Kind(StrEnum):
    """How an expected number is known.

    `formula`: it is the source's equation at these values, worked out apart from the emulator.
    `published`: read in the source, or in a public repository that uses it. `unchecked`: known at
    second hand, to be looked up before it is quoted.
    """

    formula = "formula"
    published = "published"
    unchecked = "unchecked"


@dataclass(frozen=True, slots=True)
class Source:
    """Where an expected number is from."""

    reference: str
    kind: Kind = Kind.formula

    def __str__(self) -> str:
        return f"{self.reference} ({self.kind})"


class Sample(NamedTuple):
    """A mean of `draws` independent numbers; `spread` is one's standard deviation by theory.

    None: draws are 0 or 1, and the expected value gives it.
    """

    value: float
    draws: int
    spread: float | None = None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far below and above the expected number is agreement, and how that is written."""

    text: str
    below: Callable[[float], float]
    above: Callable[[float], float]
    #: Standard deviations, for what is drawn; then the two above are not asked.
    sigmas: float | None = None


def relative(part: float) -> Tolerance:
    """That part of the expected number, either way."""
    return Tolerance(f"{part:g} rel", lambda x: abs(x) * part, lambda x: abs(x) * part)


def absolute(most: float) -> Tolerance:
    """So much either way."""
    return Tolerance(f"± {most:g}", lambda _: most, lambda _: most)


def between(below: float, above: float) -> Tolerance:
    """So much less, or so much more."""
    return Tolerance(f"-{below:g} +{above:g}", lambda _: below, lambda _: above)


def within_factor(most: float) -> Tolerance:
    """From the expected number divided by the factor up to it times the factor."""
    return Tolerance(f"factor {most:g}", lambda x: x * (1 - 1 / most), lambda x: x * (most - 1))


def sigmas(number: float = 3.0) -> Tolerance:
    """So many standard errors of a `Sample`."""
    return Tolerance(f"{number:g} sigma", lambda _: 0.0, lambda _: 0.0, number)


@dataclass(frozen=True, slots=True)
class Vector:
    """One number that must come out. `section` is that of the report, e.g. "6.2"."""

    section: str
    quantity: str
    expected: float
    tolerance: Tolerance
    source: Source
    compute: Callable[[], float | Sample]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A vector and what came out; `samples` is how many draws it took, 0 for none."""

    vector: Vector
    got: float
    agrees: bool
    samples: int = 0


def check(vector: Vector) -> Verdict:
    """Compute it and compare. What `compute` raises is not caught: it would be a bug."""
    computed, tolerance = vector.compute(), vector.tolerance
    if not isinstance(computed, Sample):
        low = vector.expected - tolerance.below(vector.expected)
        high = vector.expected + tolerance.above(vector.expected)
        return Verdict(vector, computed, low <= computed <= high)
    spread = computed.spread
    if spread is None:
        spread = math.sqrt(max(0.0, vector.expected * (1 - vector.expected)))
    allowed = (tolerance.sigmas or 0.0) * spread / math.sqrt(computed.draws)
    agrees = abs(computed.value - vector.expected) <= allowed
    return Verdict(vector, computed.value, agrees, computed.draws)


def generator(name: str) -> np.random.Generator:
    """A generator of its own for what is called `name`, the same every time."""
    return Streams(SEED).of("physics", name)


def item(
    index: int, function: Callable[_P, Sequence[float]], *args: _P.args, **kwargs: _P.kwargs
) -> Callable[[], float]:
    """To compute the number at `index` of what `function` answers to these arguments."""
    return lambda: function(*args, **kwargs)[index]


def frequency(hits: int, trials: int) -> Sample:
    """How often something happened."""
    return Sample(hits / trials, trials)
