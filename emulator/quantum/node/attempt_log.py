"""The attempts of a node over time: how many there were between two instants, on all its links together.

Owns that count, which is what stored qubits suffer from (`dephasing_per_attempt`). Does not own the attempts
(pairs/heralded_link.py) nor what each does to a qubit (memories.py).

Rules: an attempt counts at its start. Attempts of one series begin one after the other in the rhythm of its
link, from its begin until it is ended; what follows is not known, so nothing after the present is asked
about.
"""

from __future__ import annotations

from collections.abc import Callable

from ...heralding.timing import Rhythm

#: (start_ns, rhythm, end_ns): attempts that begin before the end.
_Series = tuple[int, Rhythm, int]
#: Series that are over, before the first look for those that concern no qubit any more.
_MANY = 1024


class AttemptLog:
    """Of one node. `oldest_ns()`: since when the node asks at the earliest."""

    __slots__ = ("_many", "_oldest_ns", "_over", "_running")

    def __init__(self, oldest_ns: Callable[[], int]) -> None:
        self._oldest_ns = oldest_ns
        self._running: dict[tuple[str, int], tuple[int, Rhythm]] = {}
        #: By their ends.
        self._over: list[_Series] = []
        self._many = _MANY

    def begin(self, link: str, number: int, start_ns: int, rhythm: Rhythm) -> None:
        """A series of attempts on a link begins."""
        self._running[link, number] = start_ns, rhythm

    def end(self, link: str, number: int, now_ns: int) -> None:
        """It has ended; harmless if it had."""
        found = self._running.pop((link, number), None)
        if found is None:
            return
        self._over.append((*found, now_ns))
        if len(self._over) > self._many:
            oldest_ns = self._oldest_ns()
            self._over = [series for series in self._over if series[2] > oldest_ns]
            self._many = max(_MANY, 2 * len(self._over))

    def between(self, from_ns: int, to_ns: int) -> int:
        """How many attempts began since `from_ns` and before `to_ns`, which is not after the present."""
        total = sum(
            _begun(start_ns, rhythm, from_ns, to_ns) for start_ns, rhythm in self._running.values()
        )
        for start_ns, rhythm, end_ns in reversed(self._over):
            if end_ns <= from_ns:
                break
            total += _begun(start_ns, rhythm, from_ns, min(to_ns, end_ns))
        return total

    def clear(self) -> None:
        """The node is dead: its attempts have ended, and nothing is stored in it."""
        self._running.clear()
        self._over.clear()


def _begun(start_ns: int, rhythm: Rhythm, from_ns: int, to_ns: int) -> int:
    """Attempts of a rhythm from `start_ns` on that begin in [from, to)."""
    return max(0, rhythm.begun(start_ns, to_ns) - rhythm.begun(start_ns, from_ns))
