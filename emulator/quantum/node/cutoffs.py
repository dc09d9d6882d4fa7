"""Cut-offs: stored qubits that have grown too old are discarded.

Owns, for nodes whose memory has a cut-off, the instant at which each stored qubit reaches it. Does not own
what it means to discard a qubit (plane.py), nor who holds what, which the registry tells it (`Watcher`).

Theory of operation. A qubit's age counts from when it came to be as it is: the emission of a heralded
half, the end of an initialisation, the landing of a photon. A reset begins it anew; gates, measurements
that keep the qubit, and joins elsewhere do not, whoever else the state belongs to. At the instant at which
the age equals the cut-off the memory discards the qubit, by its own timer: nothing is drawn, nobody is asked,
and the node learns of it at that instant.

Rules: at one instant a node's operations end before its memory discards, so that one that ends at the
cut-off still has its qubit, and one that is issued then has not; one that is under way fails when it ends,
without effect. No half is too old when its end hears of it: memories.py refuses such a link, whose times are
the same for the whole run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ...kernel.ports import CUTOFF, Clock, Entry


class CutOffs:
    """`cutoffs_ns` by node, of those nodes that have one. `expire(node, qubit)` discards a qubit now."""

    def __init__(
        self, cutoffs_ns: Mapping[str, int], clock: Clock, expire: Callable[[str, str], None]
    ) -> None:
        self._cutoffs_ns, self._clock, self._expire = cutoffs_ns, clock, expire
        self._due: dict[str, Entry] = {}

    def stored(self, qubit: str, node: str, number: int, since_ns: int) -> None:
        """The qubit, the `number`-th of the run, lies in the node's memory with an age since then."""
        self.left(qubit)
        cutoff_ns = self._cutoffs_ns.get(node)
        if cutoff_ns is None:
            return
        order = (node, CUTOFF, number)
        action = partial(self._reach, node, qubit)
        self._due[qubit] = self._clock.at(since_ns + cutoff_ns, order, action)

    def left(self, qubit: str) -> None:
        """The qubit lies in no memory any more, or begins its age anew."""
        entry = self._due.pop(qubit, None)
        if entry is not None:
            entry.cancel()

    def _reach(self, node: str, qubit: str) -> None:
        del self._due[qubit]
        self._expire(node, qubit)

    def __repr__(self) -> str:
        return f"<CutOffs {dict(self._cutoffs_ns)}, {len(self._due)} qubits watched>"
