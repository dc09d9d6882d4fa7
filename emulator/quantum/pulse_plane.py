"""The quantum plane's part for pulse trains: who sends, who gets which train, what operations mean.

Owns the operations Pulses, Detect, Intercept, Split and MeasureStored from their issue on, the matching of
trains with those who wait for them, the way past eavesdroppers, and the photons that nodes keep. Does not
own trains on their way (trains.py), what is done with one (sessions.py), or when results are journalled
(plane.py, which calls this).

Rules. A node sends one train at a time on a link. A train goes to the operation that has waited longest
for it when its first light arrives; if none waits, it is lost: light is not kept. A node that detects
names the neighbour or, past eavesdroppers, the origin; a direct link goes before a way past them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..channels.pulses import NOTHING_MET, Light, PulseTrain
from ..columns import packed, packed_size, planes_for, unpacked
from ..devices.sources import Source
from ..errors import LinkError, OperationError
from ..streams import Streams
from ..topology.model import Topology
from ..topology.pulse_sections import DetectorSpec
from ..units import format_ns
from ..wire import (
    BLOCK_SLOTS,
    Detect,
    Intercept,
    MeasureStored,
    Operation,
    Pulses,
    Sent,
    Split,
)
from .links import Links, Way
from .optics import IDEAL, receiver, source_table
from .ports import Clock, Journal, Metrics
from .sessions import (
    Detecting,
    Give,
    Intercepting,
    Kind,
    Receiving,
    Session,
    Splitting,
    Store,
    check_columns,
)
from .slots import Pending, Station
from .trains import Block, PulsePath, Train

#: (pending, start_ns, end_ns): have the plane end an operation then.
Schedule = Callable[[Pending, int, int], None]

#: The operations that this module takes.
RECEIVING = (Detect, Intercept, Split)
OPERATIONS: tuple[type[Operation], ...] = (Pulses, *RECEIVING, MeasureStored)


class PulsePlane:
    """Trains of all nodes. `schedule` and `give` are the plane's; `paths` its links, by name."""

    def __init__(
        self,
        topology: Topology,
        streams: Streams,
        clock: Clock,
        journal: Journal,
        metrics: Metrics,
        schedule: Schedule,
        give: Give,
    ) -> None:
        self._nodes = topology.nodes
        self._streams, self._clock, self._journal, self._metrics = streams, clock, journal, metrics
        self._schedule, self._give = schedule, give
        self._links: Links[PulsePath] = Links("carries photons")
        self.paths = self._links.by_name
        #: Trains being sent, by (node, link).
        self._sending: dict[tuple[str, str], Train] = {}
        #: Who waits for a train, oldest first, and sessions under way, by node.
        self._waiting: dict[str, list[Receiving]] = {name: [] for name in topology.nodes}
        self._sessions: dict[str, list[Session]] = {name: [] for name in topology.nodes}
        self._stores: dict[str, Store] = {}
        self._kept = dict.fromkeys(topology.nodes, 0)
        self._begin: dict[type[Operation], Callable[[Station, Any], None]] = {
            Pulses: self._send,
            MeasureStored: self._plan_measurement,
        }
        for kind in RECEIVING:
            self._begin[kind] = self._receive

    def connect(self, name: str, ends: tuple[str, str], way: Way) -> None:
        """The link carries trains too."""
        clock, journal, metrics = self._clock, self._journal, self._metrics
        path = PulsePath(name, ends, way, clock, journal, metrics, self._first_light)
        self._links.add(name, ends, path)

    # --- from the plane ---

    def begin(self, station: Station, operation: Operation) -> None:
        """A node asks for one of OPERATIONS. Raises OperationError for one that cannot be."""
        self._begin[type(operation)](station, operation)

    def end(self, station: Station, operation: Any, _: int) -> Any:
        """The effect of an operation that `schedule` has ended."""
        if isinstance(operation, MeasureStored):
            return self._measure(station, operation)
        train = self._sending.get((station.name, self._path(station.name, operation).name))
        if train is None:
            return None  # withdrawn: the train had ended before its block
        if operation.last:
            self._forget(train)
        return Sent(train.start_ns, train.period_ps)

    def withdraw(self, pending: Pending) -> bool:
        """Nobody awaits it any more. True: it has ended without a result; else it runs to its end."""
        if isinstance(pending, Receiving):
            pending.cancel()
            if pending in self._waiting[pending.station.name]:
                self._waiting[pending.station.name].remove(pending)
            if pending.session is not None:
                self._close(pending.station.name, pending.session)
            return True
        if isinstance(pending.operation, Pulses):
            name = pending.station.name
            train = self._sending.get((name, self._path(name, pending.operation).name))
            if train is not None:
                train.stop(self._clock.now_ns)
                self._forget(train)
        return False

    def node_died(self, name: str) -> None:
        """What the node sends ends; what it takes is lost; what it kept is gone."""
        for train in [train for (node, _), train in self._sending.items() if node == name]:
            train.stop(self._clock.now_ns)
            self._forget(train)
        self._waiting[name].clear()
        for session in list(self._sessions[name]):
            self._close(name, session)
        for store in [store for store in self._stores.values() if store.node == name]:
            del self._stores[store.name]

    # --- sending ---

    def _send(self, station: Station, operation: Pulses) -> None:
        name, now_ns = station.name, self._clock.now_ns
        path = self._path(name, operation)
        spec = self._nodes[name]
        table = source_table(spec, operation.means)
        _check_pulses(operation, len(table))
        train = self._sending.get((name, path.name))
        if operation.first == 0:
            if train is not None:
                raise OperationError(why=f"{name} is sending a train on {path.name} already")
            assert spec.source is not None, "source_table has refused a node without one"
            train = path.open(name, name, now_ns, spec.source.period_ps)
            self._sending[name, path.name] = train
        if train is None or train.slots != operation.first or train.over:
            raise OperationError(
                why=f"no train of {name} on {path.name} goes on at slot {operation.first}"
            )
        end_ns = train.ends_ns(operation.slots)
        light = partial(_light, operation, table, train.period_ps)
        train.send(operation.slots, end_ns, operation.last, light)
        self._metrics.count(f"links.{path.name}.pulses", operation.slots)
        self._schedule(Pending(station, operation), now_ns, end_ns)

    def _forget(self, train: Train) -> None:
        self._sending.pop((train.source, train.path.name), None)

    # --- receiving ---

    def _receive(self, station: Station, operation: Detect | Intercept | Split) -> None:
        name = station.name
        check_columns(operation, self._detector(name, operation).splitting is not None)
        if not 1 <= operation.slots <= BLOCK_SLOTS:
            raise OperationError(why=f"{operation.slots} slots, expected 1 to {BLOCK_SLOTS}")
        pending = Receiving(station, operation)
        if operation.first == 0:
            self._check_ends(name, operation)
            self._waiting[name].append(pending)
        else:
            self._session(name, operation).ask(pending)
        station.pending[pending.number] = pending

    def _check_ends(self, name: str, operation: Detect | Intercept | Split) -> None:
        """Raises LinkError and OperationError for a train that can never come, or never go on."""
        if isinstance(operation, Detect):
            self._choose(operation.source, name, operation.link)
            return
        self._choose(operation.source, name, None)
        self._choose(name, operation.to, None)
        share = operation.forward_singles if isinstance(operation, Split) else operation.fraction
        if not 0 <= share <= 1:
            raise OperationError(why=f"a share of {share}, expected 0 to 1")

    def _detector(self, name: str, operation: Detect | Intercept | Split) -> DetectorSpec:
        spec = self._nodes[name].detector
        if spec is None and isinstance(operation, Detect):
            raise OperationError(
                why=f"{name} has no detectors: give it a `detector:` in the topology"
            )
        return IDEAL if spec is None else spec

    def _session(self, name: str, operation: Detect | Intercept | Split) -> Session:
        for session in self._sessions[name]:
            if _fits(session.train, operation) and session.slots == operation.first:
                return session
        raise OperationError(
            why=f"no train from {operation.source} goes on at slot {operation.first} at {name}"
        )

    def _first_light(self, train: Train) -> None:
        """A train begins to arrive: it belongs to whoever has waited longest for it."""
        name = train.to
        for pending in self._waiting[name]:
            if _fits(train, pending.operation):
                break
        else:
            self._journal.event(train.path.name, "train_lost", train.number, f"at {name}")
            self._metrics.count(f"links.{train.path.name}.trains_lost")
            return
        self._waiting[name].remove(pending)
        try:
            session = self._begin_session(train, pending)
            session.ask(pending)
        except OperationError as refusal:
            del pending.station.pending[pending.number]
            self._give(pending, None, refusal)
            return
        train.session = session
        self._sessions[name] = [
            each for each in self._sessions[name] if each.train.session is each
        ] + [session]

    def _begin_session(self, train: Train, pending: Receiving) -> Session:
        operation, name, path = pending.operation, train.to, train.path
        kind: Kind
        spec = self._detector(name, operation)
        noise_rate_hz = path.noise_rate_hz(train)
        rng = self._streams.of("pulses", f"{path.name}:{train.source}>{name}")
        if isinstance(operation, Split):
            kind = Splitting(
                train,
                self._go_on(train, operation.to),
                self._new_store(name),
                operation.forward_singles,
                rng,
            )
            return Session(train, kind, self._clock, self._give, 0)
        optics = receiver(spec, train.period_ps, noise_rate_hz)
        if isinstance(operation, Intercept):
            onward = self._go_on(train, operation.to)
            kind = Intercepting(train, onward, optics, operation.fraction, rng)
        else:
            kind = Detecting(train, optics, rng)
        dead_ns = -(-round(spec.dead_time_ps) // 1000)
        return Session(train, kind, self._clock, self._give, dead_ns)

    def _go_on(self, train: Train, to: str) -> Train:
        """The train that carries on where this one arrives: slot i leaves when it has come."""
        path = self._choose(train.to, to, None)
        return path.open(train.to, train.origin, train.arrives_ns, train.period_ps)

    def _close(self, name: str, session: Session) -> None:
        session.close()
        if session in self._sessions[name]:
            self._sessions[name].remove(session)

    # --- kept photons ---

    def _new_store(self, name: str) -> Store:
        self._kept[name] += 1
        store = Store(f"{name}#kept{self._kept[name]}", name)
        self._stores[store.name] = store
        return store

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

    def _plan_measurement(self, station: Station, operation: MeasureStored) -> None:
        self._held(station.name, operation)
        if len(operation.bases) != packed_size(operation.photons):
            raise OperationError(why=f"{len(operation.bases)} bytes of bases")
        now_ns = self._clock.now_ns
        self._schedule(Pending(station, operation), now_ns, now_ns)

    def _measure(self, station: Station, operation: MeasureStored) -> bytes:
        store = self._held(station.name, operation)
        bits = store.measure(
            unpacked(operation.bases, operation.photons), self._streams.of("kept", store.name)
        )
        store.gone = f"measured at {format_ns(self._clock.now_ns)}"
        return packed(bits)

    # --- ways ---

    def _path(self, name: str, operation: Pulses) -> PulsePath:
        return self._choose(name, operation.to, operation.link)

    def _choose(self, node: str, peer: str, link: str | None) -> PulsePath:
        """The first link on the way from `node` to `peer`: a direct one, or past eavesdroppers.

        Raises LinkError.
        """
        try:
            return self._links.choose(node, peer, link)
        except LinkError:
            found = self._past_eavesdroppers(node, peer)
            if link is not None or len(found) != 1:
                raise
            return found[0]

    def _past_eavesdroppers(self, node: str, peer: str) -> list[PulsePath]:
        """The links of `node` that lead to `peer` with eavesdroppers, and nobody else, between."""
        found = []
        for path in self.paths.values():
            if node in path.ends and self._leads(path.other_end(node), peer, {node}):
                found.append(path)
        return found

    def _leads(self, here: str, peer: str, seen: set[str]) -> bool:
        if here == peer:
            return True
        if here in seen or here not in self._nodes or self._nodes[here].kind != "eavesdropper":
            return False
        links = [path for path in self.paths.values() if here in path.ends]
        return any(self._leads(path.other_end(here), peer, seen | {here}) for path in links)


def _fits(train: Train, operation: Detect | Intercept | Split) -> bool:
    """Whether an operation is about this train."""
    if isinstance(operation, Detect) and operation.link not in (None, train.path.name):
        return False
    return operation.source in (train.source, train.origin)


def _check_pulses(operation: Pulses, settings: int) -> None:
    """Raises OperationError for a block whose columns do not fit."""
    slots, planes = operation.slots, planes_for(settings)
    if not 1 <= slots <= BLOCK_SLOTS or (slots < BLOCK_SLOTS and not operation.last):
        raise OperationError(
            why=f"a block of {slots} slots, expected {BLOCK_SLOTS} but in the last"
        )
    for column, bits in (("bases", 1), ("bits", 1), ("intensities", planes)):
        if len(getattr(operation, column)) != packed_size(slots, bits):
            raise OperationError(why=f"{column} of another length than {slots} slots")
    if settings & (settings - 1):  # else every number that fits into the planes is a setting
        highest = int(unpacked(operation.intensities, slots, planes).max())
        if highest >= settings:
            raise OperationError(
                why=f"intensity {highest}, expected a setting from 0 to {settings - 1}"
            )


def _light(
    operation: Pulses, table: tuple[Source, ...], period_ps: int, block: Block
) -> list[PulseTrain]:
    """The light of a block: its columns unpacked, as far as it was sent."""
    sent, slots, planes = slice(block.slots), operation.slots, planes_for(len(table))
    bases, bits = unpacked(operation.bases, slots)[sent], unpacked(operation.bits, slots)[sent]
    intensities = unpacked(operation.intensities, slots, planes)[sent]
    light = Light(block.first, bases, bits, intensities, table, NOTHING_MET)
    return [PulseTrain.of(light, period_ps)]
