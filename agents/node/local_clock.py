"""A node's own clock: what it shows when true time is t, and when it will show a given time.

Owns that arithmetic, in integers. Does not own who puts a clock wrong (the emulator does, by a fault), nor
timers (loop/virtual_loop.py, which knows this clock's time only).

Rules. At true time t the clock shows t + the sum over its skews of offset + (t - since) * ppb // 10^9. It
never runs backwards between two grants, but it may jump with one. A timer set to a time of this clock is
due at the first true nanosecond at which the clock shows that time or a later one. On the wire is true
time only.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...emulator.wire import Skew

_BILLION = 10**9


class LocalClock:
    """A clock with these skews; none: it shows true time."""

    __slots__ = ("skews",)

    def __init__(self, skews: Sequence[Skew] = ()) -> None:
        self.skews = tuple(skews)

    def local_ns(self, true_ns: int) -> int:
        """What the clock shows at that true time."""
        if not self.skews:
            return true_ns
        return true_ns + sum(
            skew.offset_ns + (true_ns - skew.since_ns) * skew.rate_ppb // _BILLION
            for skew in self.skews
        )

    def true_ns(self, local_ns: int) -> int:
        """The first true time at which the clock shows `local_ns` or more."""
        if not self.skews:
            return local_ns
        true_ns = local_ns
        # A clock that is wrong by at most a tenth: each step leaves at most a tenth of the error.
        while (error_ns := local_ns - self.local_ns(true_ns)) not in (-1, 0, 1):
            true_ns += error_ns
        while self.local_ns(true_ns) < local_ns:
            true_ns += 1
        while self.local_ns(true_ns - 1) >= local_ns:
            true_ns -= 1
        return true_ns
