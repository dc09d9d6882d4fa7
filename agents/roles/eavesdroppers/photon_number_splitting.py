"""Photon-number splitting: keep one photon of each pulse with several, until its basis is announced.

Brassard, Luetkenhaus, Mor, Sanders, PRL 85, 1330 (2000).
"""

from __future__ import annotations

from ....emulator.closed_forms.eavesdropping import photon_number_splitting_shares
from ....emulator.closed_forms.qkd import gain
from ....emulator.errors import ProgramError
from ...pulses.trains import Stored
from .base import checked_share
from .storing import Storing


class PhotonNumberSplitting(Storing):
    """Counts the photons of each pulse between `first` and `second`, and keeps one where there are several.

    It has replaced a fibre of that `transmittance` by one that loses nothing (`lossless: true` of its fault),
    and lets pass so many pulses that the clicks of a signal of `mean` photons stay as many as they were, at a
    receiver of that `efficiency`: single photons are blocked first. No bit is wrong for it. It runs until it
    is stopped: make it a service. Records `kept` (photons of a train), and `guessed` as `Overhearing` does.
    """

    async def run(
        self, first: str, second: str, mean: float, transmittance: float, efficiency: float = 1.0
    ) -> None:
        checked_share("transmittance", transmittance)
        checked_share("efficiency", efficiency)
        if mean <= 0 or transmittance * efficiency == 0:
            raise ProgramError("mean, transmittance and efficiency must be above 0")
        expected = gain(mean, transmittance * efficiency, 0.0)
        self._shares = photon_number_splitting_shares(mean, efficiency, expected)
        await self.attack(first, second)

    async def keep(self, source: str, to: str) -> Stored:
        singles, several = self._shares
        return await self.split(source, to, forward_singles=singles, forward_several=several)
