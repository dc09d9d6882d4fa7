"""A node's quantum side: its slots, its operations under way, and how good its devices are.

Owns which operations have a slot and which wait for one, until when each qubit is busy, and the list of
operations that have not ended. Does not own the qubits (registry.py) or what operations do
(quantum/operations.py).

Rule: slots used == qubits held + requests that are open (an allocation or an entanglement request
that has got its slot and has not ended). Operations wait for a slot first-in first-out, and none
waits while a slot is free.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from ...devices.memory import Slots
from ...errors import OperationError
from ...kernel.ports import Entry
from ...states.noise import depolarising
from ...topology.model.topology import NodeSpec
from ...wire import Allocate, Entangle, Operation


class Pending:
    """One operation that has been issued and has not ended."""

    __slots__ = (
        "end_ns",
        "entry",
        "incarnation",
        "number",
        "opener",
        "operation",
        "refusal",
        "devices",
        "withdrawn",
    )

    def __init__(self, devices: NodeDevices, operation: Operation) -> None:
        self.devices = devices
        self.operation = operation
        self.number = operation.number
        self.incarnation = devices.incarnation
        self.end_ns = 0
        self.entry: Entry | None = None
        #: What opens it once it has a slot; set exactly while it waits for one.
        self.opener: Callable[[], None] | None = None
        self.refusal: OperationError | None = None
        self.withdrawn = False

    @property
    def has_slot(self) -> bool:
        """Whether a slot is taken for the qubit that this will bring."""
        opens = isinstance(self.operation, (Allocate, Entangle))
        return opens and self.refusal is None and self.opener is None

    def cancel(self) -> None:
        """Take its end off the agenda."""
        if self.entry is not None:
            self.entry.cancel()


class NodeDevices:
    """The quantum side of one node. It lives as long as the run; incarnations come and go."""

    __slots__ = (
        "alive",
        "allocated",
        "busy",
        "flip",
        "incarnation",
        "initial_map",
        "initialisation_ns",
        "measure_ns",
        "memory_reset_ns",
        "name",
        "pending",
        "rng",
        "single_map",
        "single_ns",
        "slots",
        "two_map",
        "two_ns",
        "waiting",
    )

    def __init__(self, spec: NodeSpec, rng: np.random.Generator) -> None:
        self.name = spec.name
        self.rng = rng
        self.single_ns, self.two_ns = spec.gates.single_ns, spec.gates.two_ns
        self.measure_ns, self.flip = spec.measurement.duration_ns, spec.measurement.error
        self.initialisation_ns = spec.memory.initialisation_ns
        initial = spec.memory.initialisation_error
        self.initial_map = depolarising(initial) if initial > 0 else None
        single, two = spec.gates.single_error, spec.gates.two_error
        self.single_map = depolarising(single) if single > 0 else None
        self.two_map = depolarising(two, 2) if two > 0 else None
        self.slots = Slots(spec.memory.slots)
        self.incarnation, self.alive = 1, True
        #: When all that lay in its memory was last reset by a fault: nothing there is older.
        self.memory_reset_ns = 0
        #: Qubits allocated so far, by all incarnations.
        self.allocated = 0
        self.pending: dict[int, Pending] = {}
        self.waiting: deque[Pending] = deque()
        #: Qubit -> end of the last operation issued on it, where that lay in the future.
        self.busy: dict[str, int] = {}

    def claim(self, pending: Pending, opener: Callable[[], None]) -> None:
        """Call `opener` as soon as there is a slot for `pending`: now, or after those waiting."""
        if self.slots.take():
            opener()
        else:
            pending.opener = opener
            self.waiting.append(pending)

    def release(self) -> None:
        """A slot is free again: it goes to the operation that has waited longest."""
        if not self.waiting:
            self.slots.release()
            return
        pending = self.waiting.popleft()
        opener, pending.opener = pending.opener, None
        if opener is not None:
            opener()

    def vacate(self, qubit: str) -> None:
        """The qubit has left its slot."""
        self.busy.pop(qubit, None)
        self.release()

    def occupy(self, qubits: Sequence[str], now_ns: int, duration_ns: int) -> int:
        """Queue an operation behind all issued on its qubits: its end, in ns."""
        busy = self.busy
        start_ns = now_ns
        if busy:
            for qubit in qubits:
                start_ns = max(start_ns, busy.get(qubit, 0))
        end_ns = start_ns + duration_ns
        if end_ns > now_ns:
            for qubit in qubits:
                busy[qubit] = end_ns
        return end_ns

    def reset(self) -> None:
        """Forget everything under way: the incarnation is dead."""
        self.alive = False
        for pending in self.pending.values():
            pending.cancel()
        self.pending.clear()
        self.waiting.clear()
        self.busy.clear()
        self.slots = Slots(self.slots.count)

    def __repr__(self) -> str:
        state = f"incarnation {self.incarnation}" if self.alive else "dead"
        return (
            f"<NodeDevices {self.name}: {state}, {self.slots}, "
            f"{len(self.pending)} operations under way>"
        )
