"""Photons in modes, slowly: the heralding schemes played through, amplitude by amplitude.

A photon is a sum of creation operators on modes (detector, kind, temporal mode), loss included as modes of
its own; a Fock state is the sorted tuple of the modes its photons are in. Nothing here knows a formula of the
channels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Mode = tuple[str, int, int]
Photon = dict[Mode, float]
Fock = dict[tuple[Mode, ...], float]


def created(fock: Fock, photon: Photon) -> Fock:
    """One more photon: a^dagger |n> = sqrt(n + 1) |n + 1> in each of its modes."""
    more: Fock = {}
    for occupied, amplitude in fock.items():
        for mode, share in photon.items():
            key = tuple(sorted((*occupied, mode)))
            root = math.sqrt(occupied.count(mode) + 1)
            more[key] = more.get(key, 0.0) + amplitude * share * root
    return more


def arriving(end: int, kind: int, detection: float, visibility: float) -> Photon:
    """A photon behind loss and a balanced beam splitter, whose other port gets the sign.

    The second end's temporal mode overlaps with the first end's by sqrt(visibility).
    """
    sign = -1 if end else 1
    overlap = math.sqrt(visibility) if end else 1.0
    photon: Photon = {(f"lost{end}", kind, 0): math.sqrt(1 - detection)}
    for temporal, share in ((0, overlap), (1, math.sqrt(1 - overlap**2))):
        amplitude = math.sqrt(detection / 2) * share
        photon["c", kind, temporal] = amplitude
        photon["d", kind, temporal] = sign * amplitude
    return photon


def clicked(occupied: tuple[Mode, ...], detector: str, kind: int, dark: float) -> float:
    """Probability that the threshold detector of that kind of photon clicks."""
    return 1.0 if any(mode[:2] == (detector, kind) for mode in occupied) else dark


def pattern(
    occupied: tuple[Mode, ...], detectors: list[tuple[str, int]], clicks: set[int], dark: float
) -> float:
    """Probability that exactly the detectors numbered in `clicks` click."""
    result = 1.0
    for number, (detector, kind) in enumerate(detectors):
        probability = clicked(occupied, detector, kind, dark)
        result *= probability if number in clicks else 1 - probability
    return result


def memories(
    light: Callable[[int, int], Fock], accepted: Callable[[tuple[Mode, ...]], float]
) -> NDArray[np.complex128]:
    """The memories' unnormalised state, shape (4, 4), once the light has been seen.

    `light(a, b)` is the (weighted) light that goes with the memories' states a and b.
    """
    parts = [light(a, b) for a, b in itertools.product((0, 1), repeat=2)]
    rho = np.zeros((4, 4), dtype=np.complex128)
    for occupied in {key for part in parts for key in part}:
        vector = np.array([part.get(occupied, 0.0) for part in parts])
        rho += accepted(occupied) * np.outer(vector, vector)
    return rho
