"""Photons that a node stores of pulse trains, until it measures them.

Owns the photons of one train (`StoredPhotons`), which node has which, and the operation MeasureStored. Does
not own which photons are stored (reception.py, optics/interception.py).

Rules: they are measured once, by the node that stores them, and are gone with that node. They decay as the
node's memory does, and take none of its slots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ...errors import OperationError
from ...kernel.ports import Surroundings
from ...optics.interception import StoredSlots
from ...optics.pulses import EFFECTS, STATES, Floats, effects_along
from ...units import format_ns
from ...wire import MeasureStored
from ...wire.bit_planes import packed, packed_size, planes_for, unpacked
from ..node.memories import NodeMemory
from ..node.node_devices import NodeDevices, Pending
from ..node.registry import Memory
from .settings import bases_of, check_axes
from .trains import PS, Train

#: (pending, end_ns): have the plane end an operation then.
Schedule = Callable[[Pending, int], None]


class StoredPhotons:
    """What a node stores of one train's photons, in the order of their slots within each block.

    A photon decays from the arrival of its slot on, as a qubit in the node's memory does.
    """

    __slots__ = (
        "_parts",
        "_period_ps",
        "_reset_ns",
        "_start_ns",
        "gone",
        "name",
        "node",
        "photons",
    )

    def __init__(self, name: str, node: str, train: Train) -> None:
        self.name, self.node, self.photons = name, node, 0
        self._parts: list[StoredSlots] = []
        self._start_ns, self._period_ps, self._reset_ns = train.arrives_ns, train.period_ps, -1
        #: How they went, once they have been measured.
        self.gone = ""

    def reset(self, now_ns: int) -> int:
        """What has come by now is |0>; how many photons those are."""
        self._reset_ns = now_ns
        return 0 if self.gone else self.photons

    def add(self, parts: list[StoredSlots]) -> np.ndarray:
        """Their slots, in the order in which they will be measured."""
        self._parts += parts
        slots = [part.slots for part in parts]
        together = np.concatenate(slots) if slots else np.empty(0, dtype=np.int64)
        self.photons += len(together)
        return together

    def measure(
        self,
        bases: np.ndarray,
        rng: np.random.Generator,
        now_ns: int,
        memory: Memory | None,
        effects: Floats = EFFECTS,
    ) -> np.ndarray:
        """Bits of all photons as they are by `now_ns`; they are gone. Once: the caller looks at `gone`."""

        def stored(slots: np.ndarray, vectors: np.ndarray) -> np.ndarray:
            since_ns = self._start_ns + slots * self._period_ps // PS
            was_reset = since_ns <= self._reset_ns
            vectors = np.where(was_reset[:, None], STATES[0], vectors)
            since_ns = np.where(was_reset, self._reset_ns, since_ns)
            return vectors if memory is None else memory.aged(vectors, since_ns, now_ns)

        bits, at = [np.empty(0, dtype=np.uint8)], 0
        for part in self._parts:
            part.through(stored)
            size = len(part.slots)
            bits.append(part.measure(bases[at : at + size], rng, effects))
            at += size
        self._parts.clear()
        return np.concatenate(bits)


class PhotonStores:
    """The stored photons of all nodes. `memories`: of the nodes, by name."""

    def __init__(
        self,
        around: Surroundings,
        schedule: Schedule,
        memories: Mapping[str, NodeMemory],
    ) -> None:
        self._streams, self._clock, self._schedule = around.streams, around.clock, schedule
        self._memories = memories
        self._stored: dict[str, StoredPhotons] = {}
        self._counts = dict.fromkeys(memories, 0)

    def new(self, node: str, train: Train) -> StoredPhotons:
        """No photons yet, stored by that node, of that train."""
        self._counts[node] += 1
        stored = StoredPhotons(f"{node}#kept{self._counts[node]}", node, train)
        self._stored[stored.name] = stored
        return stored

    def begin(self, devices: NodeDevices, operation: MeasureStored) -> None:
        """Measure stored photons, in this instant. Raises OperationError for what cannot be."""
        self._held(devices.name, operation)
        check_axes(operation.axes)
        count = bases_of(operation.axes)
        planes = planes_for(count)
        if len(operation.bases) != packed_size(operation.photons, planes):
            raise OperationError(why=f"{len(operation.bases)} bytes of bases")
        highest = int(unpacked(operation.bases, operation.photons, planes).max(initial=0))
        if highest >= count:
            raise OperationError(why=f"basis {highest}, expected 0 to {count - 1}")
        self._schedule(Pending(devices, operation), self._clock.now_ns)

    def end(self, devices: NodeDevices, operation: MeasureStored) -> bytes:
        """The bits, in one plane; the photons are gone. Raises OperationError as `begin`."""
        stored = self._held(devices.name, operation)
        bits = stored.measure(
            unpacked(operation.bases, operation.photons, planes_for(bases_of(operation.axes))),
            self._streams.of("kept", stored.name),
            self._clock.now_ns,
            self._memories[stored.node],
            EFFECTS if operation.axes is None else effects_along(operation.axes),
        )
        stored.gone = f"measured at {format_ns(self._clock.now_ns)}"
        return packed(bits)

    def photons(self, node: str) -> int:
        """How many the node stores now."""
        return sum(stored.photons for stored in self._of(node) if not stored.gone)

    def reset(self, node: str) -> int:
        """What the node stores is |0> from now on, unknown to it; how many photons those are."""
        return sum(stored.reset(self._clock.now_ns) for stored in self._of(node))

    def _of(self, node: str) -> list[StoredPhotons]:
        return [stored for stored in self._stored.values() if stored.node == node]

    def node_died(self, node: str) -> None:
        """What it stored is gone."""
        for stored in self._of(node):
            del self._stored[stored.name]

    def _held(self, name: str, operation: MeasureStored) -> StoredPhotons:
        stored = self._stored.get(operation.store)
        if stored is None or stored.node != name:
            raise OperationError(why=f"{name} keeps no photons called {operation.store}")
        if stored.gone:
            raise OperationError(why=f"the photons {stored.name} are gone: {stored.gone}")
        if stored.photons != operation.photons:
            raise OperationError(
                why=f"{operation.photons} bases for the {stored.photons} photons {stored.name}"
            )
        return stored
