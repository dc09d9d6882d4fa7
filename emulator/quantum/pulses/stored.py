"""Photons that nodes keep of pulse trains, until they measure them.

Owns the operation MeasureStored, and who keeps which store. Does not own how one is filled (sessions.py).

Rules: a store is measured once, by the node that keeps it, and is gone with that node. What it keeps decays
as its memory does, and takes none of its slots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...errors import OperationError
from ...kernel.ports import Clock
from ...kernel.streams import Streams
from ...units import format_ns
from ...wire import MeasureStored
from ...wire.bit_planes import packed, packed_size, unpacked
from ..node.memory_slots import Pending, Station
from ..node.registry import Decay
from .receivers import Store
from .trains import Train

#: (pending, end_ns): have the plane end an operation then.
Schedule = Callable[[Pending, int], None]


class KeptPhotons:
    """The stores of all nodes."""

    def __init__(
        self,
        nodes: Iterable[str],
        streams: Streams,
        clock: Clock,
        schedule: Schedule,
        decay: Callable[[str], Decay | None],
    ) -> None:
        self._streams, self._clock, self._schedule = streams, clock, schedule
        self._decay = decay
        self._stores: dict[str, Store] = {}
        self._counts = dict.fromkeys(nodes, 0)

    def new(self, node: str, train: Train) -> Store:
        """An empty store of that node, for photons of that train."""
        self._counts[node] += 1
        store = Store(f"{node}#kept{self._counts[node]}", node, train)
        self._stores[store.name] = store
        return store

    def begin(self, station: Station, operation: MeasureStored) -> None:
        """Measure a store, in this instant. Raises OperationError for what cannot be."""
        self._held(station.name, operation)
        if len(operation.bases) != packed_size(operation.photons):
            raise OperationError(why=f"{len(operation.bases)} bytes of bases")
        self._schedule(Pending(station, operation), self._clock.now_ns)

    def end(self, station: Station, operation: MeasureStored) -> bytes:
        """The bits, in one plane; the photons are gone. Raises OperationError as `begin`."""
        store = self._held(station.name, operation)
        bits = store.measure(
            unpacked(operation.bases, operation.photons),
            self._streams.of("kept", store.name),
            self._clock.now_ns,
            self._decay(store.node),
        )
        store.gone = f"measured at {format_ns(self._clock.now_ns)}"
        return packed(bits)

    def photons(self, node: str) -> int:
        """How many the node keeps now."""
        return sum(store.photons for store in self._of(node) if not store.gone)

    def reset(self, node: str) -> int:
        """What the node keeps is |0> from now on, and it is not told; how many photons those are."""
        return sum(store.reset(self._clock.now_ns) for store in self._of(node))

    def _of(self, node: str) -> list[Store]:
        return [store for store in self._stores.values() if store.node == node]

    def node_died(self, node: str) -> None:
        """What it kept is gone."""
        for store in self._of(node):
            del self._stores[store.name]

    def _held(self, name: str, operation: MeasureStored) -> Store:
        store = self._stores.get(operation.store)
        if store is None or store.node != name:
            raise OperationError(why=f"{name} keeps no photons called {operation.store}")
        if store.gone:
            raise OperationError(why=f"the photons {store.name} are gone: {store.gone}")
        if store.photons != operation.photons:
            raise OperationError(
                why=f"{operation.photons} bases for the {store.photons} photons {store.name}"
            )
        return store
