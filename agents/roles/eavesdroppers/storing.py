"""Photons that an eavesdropper keeps of trains, until their bases are announced.

Owns when they are measured. Does not own which photons are kept, which is the attack's.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from ...pulses.trains import Stored
from .base import Overhearing
from .discussion import UNKNOWN, Announced


class Storing(Overhearing):
    """Base of attacks that keep photons of trains, and measure them in the bases that are announced."""

    @abstractmethod
    async def keep(self, source: str, to: str) -> Stored:
        """Take the next train from `source`, send some of it on towards `to`: what is kept."""

    async def attack(self, first: str, second: str) -> None:
        """For ever, both ways."""
        self._stored: dict[str, Stored] = {}
        await self.both_ways(first, second, self._take, self._learn)

    async def _take(self, source: str, to: str) -> None:
        while True:
            stored = await self.keep(source, to)
            self._stored[source] = stored
            self.record("kept", len(stored))

    async def _learn(self, announced: Announced) -> None:
        stored = self._stored.pop(announced.sender, None)
        if stored is None:
            return
        bases = announced.basis_of(stored.slots)
        bits = await stored.measure(np.where(bases == UNKNOWN, 0, bases))
        self.record_guesses(announced, stored.slots, bits)
