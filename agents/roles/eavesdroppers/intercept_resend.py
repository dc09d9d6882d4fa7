"""Intercept and resend: measure what passes in some basis, and send on what was seen.

Bennett and Brassard (1984) for a random basis; Bennett, Bessette, Brassard, Salvail, Smolin, J. Cryptology 5,
3 (1992) for the one half way between Z and X.
"""

from __future__ import annotations

import asyncio
import math
from typing import Literal

import numpy as np

from ...pulses.trains import Clicks
from ...qubits import Qubit
from .base import Overhearing, checked_share
from .discussion import Announced

Basis = Literal["random", "Z", "X", "breidbart"]
Axis = tuple[float, float, float]

_Z, _X, _BETWEEN = (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (math.sqrt(0.5), 0.0, math.sqrt(0.5))
_AXES: dict[Basis, list[Axis]] = {
    "random": [_Z, _X],
    "Z": [_Z],
    "X": [_X],
    "breidbart": [_BETWEEN],
}


class InterceptResend(Overhearing):
    """Measures a `fraction` f of what passes between `first` and `second`, and sends on what it saw.

    Single photons and pulse trains, in `basis`: Z or X at `random`, always `Z`, always `X`, or `breidbart`,
    half way between the two. f/4 of the sifted bits are wrong then, if both bases are used alike. It runs
    until it is stopped: make it a service. Records `taken` (1 for each photon; of a train how many clicks),
    and `guessed` as `Overhearing` does: (2 + f)/4, with `breidbart` 1/2 + f (cos^2(pi/8) - 1/2).
    """

    async def run(
        self, first: str, second: str, fraction: float = 1.0, basis: Basis = "random"
    ) -> None:
        self._fraction = checked_share("fraction", fraction)
        self._axes = _AXES[basis]
        #: What was seen of the latest train of each end, and of its photons since the last session.
        self._clicks: dict[str, Clicks] = {}
        self._photons: dict[str, list[tuple[int, int]]] = {first: [], second: []}
        async with asyncio.TaskGroup() as group:
            for source, to in ((first, second), (second, first)):
                group.create_task(self._take_photons(source, to))
                group.create_task(self._take_trains(source, to))
            group.create_task(self.overhear(self._learn))

    async def _take_trains(self, source: str, to: str) -> None:
        while True:
            clicks = await self.intercept(source, to, fraction=self._fraction, axes=self._axes)
            self._clicks[source] = clicks
            self.record("taken", len(clicks))

    async def _take_photons(self, source: str, to: str) -> None:
        while True:
            photon = await self.receive_qubit(source)
            port, left_ns = photon.port, photon.arrived_ns
            axis = self._axes[int(self.rng.integers(0, len(self._axes)))]
            if self._fraction == 1 or self.rng.random() < self._fraction:
                bit = await photon.measure(axis)
                photon = await self._prepared(axis, bit)
                self.record("taken", 1)
                self._photons[source].append((left_ns, bit))
            await self.transmit(photon, to, port=port)

    async def _prepared(self, axis: Axis, bit: int) -> Qubit:
        """A fresh photon in the state along `axis`, or in the opposite one."""
        photon = await self.qubit()
        if bit:
            await photon.x()
        if axis == _X:
            await photon.h()
        elif axis == _BETWEEN:
            await photon.ry(math.pi / 4)
        return photon

    async def _learn(self, announced: Announced) -> None:
        if announced.slot_ns:
            found = self._photons[announced.sender]
            seen = {announced.slot_at(left_ns): bit for left_ns, bit in found}
            found.clear()
            slots = np.array(sorted(seen), dtype=np.int64)
            bits = np.array([seen[slot] for slot in sorted(seen)], dtype=np.uint8)
            self.record_guesses(announced, slots, bits)
        elif announced.sender in self._clicks:
            clicks = self._clicks[announced.sender]
            self.record_guesses(announced, clicks.slots, clicks.bits)
