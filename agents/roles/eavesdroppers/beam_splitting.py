"""Beam splitting: keep the light that the fibre would lose, and send the rest over one that loses nothing.

Bennett, Bessette, Brassard, Salvail, Smolin, J. Cryptology 5, 3 (1992).
"""

from __future__ import annotations

from ...pulses.trains import Stored
from .base import checked_share
from .storing import Storing


class BeamSplitting(Storing):
    """Takes each photon between `first` and `second` with probability 1 - `transmittance`, and keeps it.

    It has replaced a fibre of that `transmittance` by one that loses nothing (`lossless: true` of its fault):
    gains and errors of all intensities stay what they were, and nothing shows it. Of a click it has a photon
    too with probability 1 - e^-(1 - t) mu. It runs until it is stopped: make it a service. Records `kept`
    (pulses of a train of which it has a photon), and `guessed` as `Overhearing` does.
    """

    async def run(self, first: str, second: str, transmittance: float) -> None:
        self._share = 1 - checked_share("transmittance", transmittance)
        await self.attack(first, second)

    async def keep(self, source: str, to: str) -> Stored:
        return await self.split_beam(source, to, share=self._share)
