"""The memories of nodes: how stored qubits decay, under faults too, and when one is too old.

Owns the step from a node's section `memory:` to its `NodeMemory`, the check of cut-offs against links, and
the instant at which each stored qubit reaches its cut-off. Does not own the decay of T1, T2 and a user's
noise (devices/memory.py), what faults change (fault_history.py), where a qubit lies (registry.py), or what it
means to discard one (plane.py).

A fault that decoheres a memory touches no qubit when it begins or ends. The decay that a qubit owes is put
together when an operation touches it: one map for each interval of the memory's fault history. So operations
under way are not affected, and a trajectory takes one number as ever.

A qubit's age counts from when it came to be as it is: the emission of a heralded half, the end of an
initialisation, the landing of a photon. A reset begins it anew; gates, measurements that keep the qubit, and
joins elsewhere do not. At the instant at which the age equals the cut-off the memory discards the qubit, by
its own timer: nothing is drawn, and the node learns of it at that instant.

Rules: what a topology says and physics forbids is a TopologyError at its place, before anything runs. At one
instant a node's operations end before its memory discards, so that one that ends at the cut-off still has
its qubit, and one that is issued then has not; one that is under way fails when it ends, without effect. No
half is too old when its end hears of it: such a link is refused, and its times never change in a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from ...devices.memory import MemoryDecay
from ...errors import InputError
from ...faults.changes import NodeChanges
from ...kernel.ports import CUTOFF, Clock, Entry
from ...states.noise import compose, dephasing
from ...states.pauli import Superoperator
from ...states.user_noise import load_generator
from ...topology.model.topology import NodeSpec, Topology
from ...units import format_ns
from ..fault_history import FaultHistory
from ..formalism import Formalism
from ..links.heralding import source_of
from .attempt_log import AttemptLog

#: Decays under different faults that are kept at hand.
_DECAYS_AT_HAND = 16


class NodeMemory:
    """A node's memory; `decay` is its own (None: qubits keep), `history` what faults change about it.

    `attempts` of the node dephase each stored qubit with `per_attempt`; None: they do not.
    """

    __slots__ = ("_attempts", "_decay", "_dephased", "_faulted", "_history", "_per_attempt")

    def __init__(
        self,
        decay: MemoryDecay | None,
        history: FaultHistory[NodeChanges],
        attempts: AttemptLog | None = None,
        per_attempt: float = 0.0,
    ) -> None:
        self._decay, self._history = decay, history
        self._attempts, self._per_attempt = attempts, per_attempt
        self._dephased = lru_cache(_DECAYS_AT_HAND)((decay or MemoryDecay()).dephased)
        #: Whether any fault has ever decohered it: until then one map is the whole decay.
        self._faulted = False
        for interval in history.between(0, history.now.since_ns + 1):
            self._on_change(interval.changes)
        history.on_change(self._on_change)

    @property
    def is_steady(self) -> bool:
        """Whether storage for some time does the same whenever it is: no fault has decohered it yet."""
        return not self._faulted

    def between(self, from_ns: int, to_ns: int) -> Superoperator | None:
        """What storage from `from_ns` to `to_ns` does to one qubit; None: nothing."""
        if not self._faulted:
            return None if self._decay is None else self._decay.map(to_ns - from_ns)
        parts = []
        for interval in self._history.between(from_ns, to_ns):
            begins_ns = max(interval.since_ns, from_ns)
            ends_ns = to_ns if interval.until_ns is None else min(interval.until_ns, to_ns)
            parts.append(self._dephased(interval.changes.dephasing_hz).map(ends_ns - begins_ns))
        return parts[0] if len(parts) == 1 else compose(*parts)

    def stored_between(self, from_ns: int, to_ns: int) -> Superoperator | None:
        """As `between`, of a qubit in a storage qubit: what the node's attempts do to it as well."""
        decay = self.between(from_ns, to_ns)
        count = 0 if self._attempts is None else self._attempts.between(from_ns, to_ns)
        if not count:
            return decay
        disturbed = dephasing((1 - (1 - 2 * self._per_attempt) ** count) / 2)
        return disturbed if decay is None else compose(decay, disturbed)

    def aged(
        self, vectors: NDArray[np.float64], since_ns: NDArray[np.int64], to_ns: int
    ) -> NDArray[np.float64]:
        """Pauli vectors of qubits stored since a time each: see `MemoryDecay.aged`."""
        if not self._faulted:
            return vectors if self._decay is None else self._decay.aged(vectors, since_ns, to_ns)
        for interval in self._history.between(int(since_ns.min(initial=to_ns)), to_ns):
            ends_ns = to_ns if interval.until_ns is None else min(interval.until_ns, to_ns)
            memory = self._dephased(interval.changes.dephasing_hz)
            vectors = memory.aged(vectors, np.maximum(since_ns, interval.since_ns), ends_ns)
        return vectors

    def _on_change(self, changes: NodeChanges) -> None:
        self._faulted = self._faulted or changes.dephasing_hz > 0


# --- from the topology ----------------------------------------------------------------------------


def decay_of(topology: Topology, node: NodeSpec) -> MemoryDecay | None:
    """How the node's qubits decay; None where they keep. A noise of the user's is run.

    Raises TopologyError for a noise that is none, and for one that the formalism cannot carry.
    """
    memory = node.memory
    if memory.noise is None:
        keeps = memory.t1_ns is None and memory.t2_ns is None
        return None if keeps else MemoryDecay(memory.t1_ns, memory.t2_ns)
    path = ("nodes", node.name, "memory", "noise")
    try:
        decay = MemoryDecay(memory.t1_ns, memory.t2_ns, load_generator(memory.noise))
        chosen = Formalism(topology.formalism, topology.approximate)
        chosen.check_noise(decay.sample(), f"memory of {node.name}")
    except InputError as error:
        raise topology.error(f"{'.'.join(path)}: {error}", *path) from error
    return decay


def check_cutoffs(topology: Topology) -> None:
    """Raises TopologyError for a cut-off that every half of a link's pairs would pass before its herald."""
    for link in topology.links.values():
        cutoffs_ns = [topology.nodes[end].memory.cutoff_ns for end in link.ends]
        if cutoffs_ns == [None, None]:
            continue
        source = source_of(topology, link)
        ages_ns = (0, 0) if source is None else source.timing.ages_ns
        for end, cutoff_ns, age_ns in zip(link.ends, cutoffs_ns, ages_ns, strict=True):
            if cutoff_ns is not None and cutoff_ns <= age_ns:
                raise topology.error(
                    f"nodes.{end}.memory.cutoff: a cut-off of {format_ns(cutoff_ns)}, but a half of "
                    f"{link.name} is {format_ns(age_ns)} old when {end} hears of it: expected more",
                    *("nodes", end, "memory", "cutoff"),
                )


# --- cut-offs ------------------------------------------------------------------------------------


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
