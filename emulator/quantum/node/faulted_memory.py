"""A memory that faults disturb: its decay over a stretch of time in which it was not always the same.

Owns that alone. Does not own the decay itself (devices/memory.py), nor what is wrong when (disturbances.py).

Rule: nothing is touched when a disturbance begins or ends. The decay that a qubit owes is put together when
somebody asks, so that an operation under way is none the wiser, and a trajectory takes one number as ever.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from ...devices.memory import MemoryDecay
from ...states.noise import compose
from ...states.pauli import Superoperator
from ..links.fault_history import FaultHistories, FaultHistory
from .node_changes import NodeChanges
from .registry import Decay

#: Decays under different disturbances that are kept at hand.
_KEPT = 16


class DisturbedMemory:
    """A node's memory; `decay` is its own (None: qubits keep), `disturbed` what is wrong with the node."""

    def __init__(self, decay: MemoryDecay | None, disturbed: FaultHistory[NodeChanges]) -> None:
        self._decay, self._disturbed = decay or MemoryDecay(), disturbed
        self._dephased = lru_cache(_KEPT)(self._decay.dephased)

    def between(self, from_ns: int, to_ns: int) -> Superoperator:
        """What storage from `from_ns` to `to_ns` does to one qubit."""
        parts = []
        for moment in self._disturbed.between(from_ns, to_ns):
            begins_ns = max(moment.since_ns, from_ns)
            ends_ns = to_ns if moment.until_ns is None else min(moment.until_ns, to_ns)
            parts.append(self._dephased(moment.changes.dephasing_hz).map(ends_ns - begins_ns))
        return parts[0] if len(parts) == 1 else compose(*parts)

    def aged(
        self, vectors: NDArray[np.float64], since_ns: NDArray[np.int64], to_ns: int
    ) -> NDArray[np.float64]:
        """Pauli vectors of qubits stored since a time each: see `MemoryDecay.aged`."""
        for moment in self._disturbed.between(int(since_ns.min(initial=to_ns)), to_ns):
            ends_ns = to_ns if moment.until_ns is None else min(moment.until_ns, to_ns)
            memory = self._dephased(moment.changes.dephasing_hz)
            vectors = memory.aged(vectors, np.maximum(since_ns, moment.since_ns), ends_ns)
        return vectors


def let_disturb(decays: dict[str, Decay | None], disturbances: FaultHistories) -> None:
    """Have faults act on these memories, by node. One that is left alone stays as fast as it was."""
    for node, disturbed in disturbances.nodes.items():
        disturbed.on_change(partial(_become_disturbed, decays, node, disturbed))


def _become_disturbed(
    decays: dict[str, Decay | None],
    node: str,
    disturbed: FaultHistory[NodeChanges],
    changes: NodeChanges,
) -> None:
    own = decays[node]
    if changes.dephasing_hz and not isinstance(own, DisturbedMemory):
        assert own is None or isinstance(own, MemoryDecay), "there is no other kind of memory"
        decays[node] = DisturbedMemory(own, disturbed)
