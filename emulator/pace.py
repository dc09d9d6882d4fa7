"""Whose word a run waits for, in real time.

Owns the stopwatch: from the moment grants go out, real time is put down to whoever reports next, so that
of several nodes that work side by side only the slowest pays for what the others did not need. It is told
at the end of a run and never decided on; the digest knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable


class Pace:
    """`worked_s` and `grants` by node. `wall` gives real seconds."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self.worked_s: dict[str, float] = {}
        self.grants: dict[str, int] = {}
        self._wall, self._since_s = wall, 0.0

    def granted(self) -> None:
        """Grants have gone out: reports are awaited from now on."""
        self._since_s = self._wall()

    def reported(self, node: str) -> None:
        """A node has reported."""
        now_s = self._wall()
        self.worked_s[node] = self.worked_s.get(node, 0.0) + now_s - self._since_s
        self.grants[node] = self.grants.get(node, 0) + 1
        self._since_s = now_s
