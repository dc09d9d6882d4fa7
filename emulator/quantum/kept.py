"""Photons that nodes keep of pulse trains, until they measure them.

Owns the operation MeasureStored, and who keeps which store. Does not own how one is filled (sessions.py).

Rule: a store is measured once, by the node that keeps it, and is gone with that node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..columns import packed, packed_size, unpacked
from ..errors import OperationError
from ..streams import Streams
from ..units import format_ns
from ..wire import MeasureStored
from .ports import Clock
from .sessions import Store
from .slots import Pending, Station

#: (pending, end_ns): have the plane end an operation then.
Schedule = Callable[[Pending, int], None]


class KeptPhotons:
    """The stores of all nodes."""

    def __init__(
        self, nodes: Iterable[str], streams: Streams, clock: Clock, schedule: Schedule
    ) -> None:
        self._streams, self._clock, self._schedule = streams, clock, schedule
        self._stores: dict[str, Store] = {}
        self._counts = dict.fromkeys(nodes, 0)

    def new(self, node: str) -> Store:
        """An empty store of that node."""
        self._counts[node] += 1
        store = Store(f"{node}#kept{self._counts[node]}", node)
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
            unpacked(operation.bases, operation.photons), self._streams.of("kept", store.name)
        )
        store.gone = f"measured at {format_ns(self._clock.now_ns)}"
        return packed(bits)

    def node_died(self, node: str) -> None:
        """What it kept is gone."""
        for store in [store for store in self._stores.values() if store.node == node]:
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
