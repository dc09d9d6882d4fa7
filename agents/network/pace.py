"""How long things take on a link: the wait for a pair, a turn, and the silence after which an end asks.

Owns these times, from what the link promises (link_facts.py). Does not own whose turn it is (scheduling.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ...emulator.wire import LinkInfo
from .link_facts import facts_of
from .link_messages import Asked

#: A turn lasts about so many latencies: long enough that its message costs little, short enough for others.
_TURN_LATENCIES = 50
#: Pairs in a turn, at most.
LONGEST_TURN = 64
#: Pairs are scheduled so many latencies ahead, for the message that says so to be there in time.
_AHEAD_LATENCIES = 3
#: An end asks about a pair after so many times the mean wait for one, and latencies.
_PATIENCE, _PATIENCE_LATENCIES = 10, 8
#: The longest silence of an end that awaits something, in seconds.
LONGEST_SILENCE_S = 1.0


class Pace:
    """Of one link, which carries `width` pairs side by side."""

    def __init__(self, info: LinkInfo, width: int) -> None:
        self._info, self._width = info, width
        self._latency_s = info.latency_ns * 1e-9
        #: Bright population -> mean wait for a pair, in seconds.
        self._waits_s: dict[float | None, float] = {}

    def wait_s(self, asked: Asked) -> float:
        """The mean time from one pair (or block) of a request to the next, as the link promises it."""
        found = self._waits_s.get(asked.alpha)
        if found is None:
            rate_hz = facts_of(self._info, asked.alpha).rate_hz
            found = self._waits_s[asked.alpha] = 1 / rate_hz if rate_hz > 0 else math.inf
        if asked.longest_ns:
            return min(found * asked.block, asked.longest_ns * 1e-9)
        return found

    def turn(self, asked: Asked) -> int:
        """Pairs (or blocks) in a turn of the request."""
        wait_s = self.wait_s(asked)
        if not 0 < wait_s < math.inf or asked.block > 1:
            return 1
        return max(1, min(round(_TURN_LATENCIES * self._latency_s / wait_s), LONGEST_TURN))

    def ahead(self, asked: Asked) -> int:
        """With so many pairs still to come, the next turn is not yet due."""
        wait_s = self.wait_s(asked)
        if not 0 < wait_s < math.inf or asked.block > 1:
            return self._width + 1
        return self._width + math.ceil(
            min(_AHEAD_LATENCIES * self._latency_s / wait_s, LONGEST_TURN)
        )

    def patience_s(self, asked: Iterable[Asked]) -> float:
        """After how long an end asks about a pair that it awaits."""
        wait_s = max(self.wait_s(each) for each in asked)
        waits_s = _PATIENCE * wait_s + _PATIENCE_LATENCIES * self._latency_s
        return min(waits_s, LONGEST_SILENCE_S)
