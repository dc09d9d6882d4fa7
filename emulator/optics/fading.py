"""Fades: how much of the mean comes through a beam from one moment to the next.

Owns what fades a beam (`FadeShape`) and the factors drawn for it (`Fading`). Does not own the mean
transmittance (free_space.py) nor the formulas (closed_forms/turbulence.py).

Theory of operation. Time falls into blocks of one correlation time. In each the light is the mean times a
factor whose mean is 1: log-normal for scintillation, with the index that the telescope's aperture leaves, and
for a beam whose centre is off by r, exp(-(r/R)^lambda) (Vasylyev, Semenov, Vogel, PRL 108, 220501 (2012)) by
its mean, r being drawn from the jitter of both axes and the wander of the air. Blocks are independent: over a
time T that is longer the variance of counts is their mean and (mean)^2 var(factor) correlation/T.

Rules. The factor of a block depends on the seed, the link, the direction and the block's number, not on what
was asked before. A beam of which nearly all comes through is cut at all of it, which takes a little of the
mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Blocks that are drawn at once, from one generator, and how many of such are kept at hand.
_CHUNK, _CHUNKS_AT_HAND = 1024, 8


class FadeShape(NamedTuple):
    """What fades a beam at a time. `log_variance`: of scintillation. Lengths by the beam's scale R.

    `jitter`: of its centre, for each axis; `bias`: what is always off; `exponent`: lambda; `mean` of the
    factor.
    """

    log_variance: float = 0.0
    jitter: float = 0.0
    bias: float = 0.0
    exponent: float = 2.0
    mean: float = 1.0

    def factors(self, normals: Floats) -> Floats:
        """Of blocks with three standard normal numbers each, in rows."""
        logs = np.full(normals.shape[1], -math.log(self.mean))
        if self.log_variance:
            logs += math.sqrt(self.log_variance) * normals[0] - self.log_variance / 2
        if self.jitter:
            off = np.hypot(self.bias + self.jitter * normals[1], self.jitter * normals[2])
            logs -= off**self.exponent
        factors: Floats = np.exp(logs)
        return factors


class Fading:
    """Of one link. `generator(reverse, chunk)` gives the numbers of a stretch of blocks in one direction."""

    def __init__(
        self, correlation_ns: int, generator: Callable[[bool, int], np.random.Generator]
    ) -> None:
        self.correlation_ns, self._generator = correlation_ns, generator
        self._normals = lru_cache(_CHUNKS_AT_HAND)(self._drawn)

    def _drawn(self, reverse: bool, chunk: int) -> Floats:
        return self._generator(reverse, chunk).standard_normal((3, _CHUNK))

    def factors(self, shape: FadeShape, from_ns: int, until_ns: int, reverse: bool) -> Floats:
        """Of the blocks that share time with that stretch, in order; the first one begins at or before it."""
        first = from_ns // self.correlation_ns
        end = max(first + 1, -(-until_ns // self.correlation_ns))
        parts = []
        for chunk in range(first // _CHUNK, (end - 1) // _CHUNK + 1):
            low, high = max(first - chunk * _CHUNK, 0), min(end - chunk * _CHUNK, _CHUNK)
            parts.append(shape.factors(self._normals(reverse, chunk)[:, low:high]))
        return np.concatenate(parts)
