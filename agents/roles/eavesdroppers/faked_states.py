"""Blinding with faked states: the receiver's detectors answer where the eavesdropper wants, and nowhere else.

Lydersen, Wiechers, Wittmann, Elser, Skaar, Makarov, Nat. Photon. 4, 686 (2010).
"""

from __future__ import annotations

from ...pulses.trains import Clicks
from .base import Overhearing, checked_share
from .discussion import Announced


class FakedStates(Overhearing):
    """Measures a `fraction` of the pulses between `first` and `second`, blinds the receiver, fakes states.

    It measures in Z or X at random, with ideal detectors unless it has a `detector:`, and sends bright light
    that makes the receiver's detectors click in its own basis alone. No sifted bit is wrong and it knows all
    of them; `fraction` sets how often the receiver clicks. What is missing there are dark counts and double
    clicks, and what is new is light: `clicks.bright`, the metric `<node>.bright_slots`. It runs until it is
    stopped: make it a service. Records `faked` (clicks of a train), and `guessed` as `Overhearing` does.
    """

    async def run(self, first: str, second: str, fraction: float = 1.0) -> None:
        self._fraction = checked_share("fraction", fraction)
        self._clicks: dict[str, Clicks] = {}
        await self.both_ways(first, second, self._take, self._learn)

    async def _take(self, source: str, to: str) -> None:
        while True:
            clicks = await self.intercept(source, to, fraction=self._fraction, faked=True)
            self._clicks[source] = clicks
            self.record("faked", len(clicks))

    async def _learn(self, announced: Announced) -> None:
        if announced.sender in self._clicks:
            clicks = self._clicks[announced.sender]
            self.record_guesses(announced, clicks.slots, clicks.bits)
