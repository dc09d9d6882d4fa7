"""jitter: each classical message takes up to `by` longer, uniformly; so messages may overtake each other."""

from __future__ import annotations

from ..classical.flights import Flight, Later, Verdict
from .base import MessageFault


class Jitter(MessageFault):
    """`{at: 1 s, for: 1 s, jitter: alice-r1, by: 2 ms}`. Whole ns from 0 to `by`, each equally likely."""

    def strike(self, flight: Flight) -> Verdict:
        return Later(int(self.rng.random() * (self.time_ns("by") + 1)))
