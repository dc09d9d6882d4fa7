"""The quantum plane: operations in time.

Owns when the operations that nodes ask for take effect, and their results. Does not own the states
and who holds what (registry.py), what an operation does (effects.py), slots (slots.py), when a qubit
is too old (cutoffs.py), the matching of entanglement requests (requests.py), pairs that come of them
(halves.py), photons in flight (light.py), or what faults have changed (disturbances.py). No I/O.

Theory of operation. `issue` journals an operation and schedules its end. Operations on one qubit
queue in issue order: one starts when the last one issued on any of its qubits ends, and takes as long
as the node's devices need. Its effect and its result come at its end, and until then its qubits decay as
idle ones do; one that takes no time ends at the next microstep. What a node must hold is looked at twice: at
issue, and when it takes effect. Allocate and Entangle first take a slot, and wait for one if need be. A
memory with a cut-off discards what has reached it, and frees the slot; an operation that needs the qubit
after that is refused.

Rules: every operation that was issued gets exactly one result, in the incarnation that issued it,
unless it was withdrawn or the node died. All that happens in one instant happens in the order of
(name, kind, number). No draw depends on the order in which reports came.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..errors import InternalError, LinkError, OperationError
from ..kernel.ports import OPERATION, Clock, Journal, Metrics
from ..kernel.streams import Streams
from ..topology.model.topology import LinkSpec, Topology
from ..units import format_ns
from ..wire import Allocate, Arrival, Entangle, Operation, Result, Transmit
from .formalism import formalism_of, qubit_numbers
from .journal_fields import arguments, outcome, verb
from .links.fault_history import FaultedFibre, FaultHistories
from .links.heralding import changing_source, drift_of, multiplexing_of, source_of
from .links.links import FibreChannel, Links, way_of
from .node.cutoffs import CutOffs
from .node.effects import PLANS, Effects
from .node.faulted_memory import let_disturb
from .node.memories import check_cutoffs, decay_of
from .node.memory_slots import Pending, Station
from .node.registry import Decay, Registry
from .pairs.herald_faults import HeraldFault
from .pairs.heralded_pairs import HeraldedPairs
from .pairs.requests import HeraldedLink, Request
from .photons import PhotonLink
from .pulses.plane import OPERATIONS, PulsePlane
from .pulses.receivers import Receiving
from .pulses.trains import PulseLink


class QuantumPlane:
    """Operations in, results and arrivals out; see the module's head.

    `results` and `arrivals` fill while completions run; whoever drives the plane takes them out.
    `registry` is god's eye: tests, the recorder and `Probe` look at states through it.
    """

    def __init__(
        self,
        topology: Topology,
        streams: Streams,
        clock: Clock,
        journal: Journal,
        metrics: Metrics,
    ) -> None:
        self._streams, self._clock, self._journal, self._metrics = streams, clock, journal, metrics
        #: (node, incarnation, result) in the order of their coming.
        self.results: list[tuple[str, int, Result]] = []
        #: (node, arrival) in the order of their coming; the qubit lies in a slot of the node.
        self.arrivals: list[tuple[str, Arrival]] = []
        #: (node, qubit) that its memory has discarded, in the order of their going.
        self.expired: list[tuple[str, str]] = []
        nodes = sorted(topology.nodes.items())
        decay: dict[str, Decay | None] = {name: decay_of(topology, spec) for name, spec in nodes}
        check_cutoffs(topology)
        cutoffs_ns = {
            name: spec.memory.cutoff_ns for name, spec in nodes if spec.memory.cutoff_ns is not None
        }
        self._cutoffs = CutOffs(cutoffs_ns, clock, self._expire) if cutoffs_ns else None
        chosen = formalism_of(topology, partial(journal.event, "formalism", "twirled"))
        numbers = qubit_numbers(streams.seed)
        self.registry = Registry(decay.get, chosen, numbers, self._cutoffs)
        self._stations = {name: Station(spec, streams.of("device", name)) for name, spec in nodes}
        self._light: Links[PhotonLink] = Links("carries photons")
        self._heralded: Links[HeraldedLink] = Links("heralds pairs")
        self.disturbances = FaultHistories(topology.links, topology.nodes, clock)
        let_disturb(decay, self.disturbances)
        self._pulses = PulsePlane(
            topology,
            streams,
            clock,
            journal,
            metrics,
            self._schedule,
            self._give,
            self.disturbances,
            decay.get,
        )
        self._halves = HeraldedPairs(
            self.registry, clock, journal, metrics, self._give, self.disturbances.links
        )
        self._links = topology.links
        for _, link in sorted(topology.links.items()):
            self._connect(topology, link)
        self._effects = Effects(self.registry, journal, metrics).of
        self._effects[Transmit] = self._transmit
        self._begin: dict[type[Operation], Callable[[Station, Any], None]] = {
            Transmit: self._queue_transmit,
            Allocate: self._claim,
            Entangle: self._ask,
        }
        for kind in PLANS:
            self._begin[kind] = self._queue
        for kind in OPERATIONS:
            self._begin[kind], self._effects[kind] = self._pulses.begin, self._pulses.end

    # --- from the nodes ---

    def issue(self, node: str, incarnation: int, operation: Operation) -> None:
        """A node asks for an operation, at the present instant.

        Its end, or the refusal of one that cannot be, becomes a `Result`: never in this instant.
        Raises InternalError for a node that is not alive in this incarnation, and for a number that
        is under way already.
        """
        station, number = self._stations[node], operation.number
        if not station.alive or incarnation != station.incarnation or number in station.pending:
            problem = f"{node} ({incarnation}) cannot issue operation {number}"
            raise InternalError(f"{problem}: {station}")
        self._journal.event(node, "operation", number, verb(operation), *arguments(operation))
        try:
            self._begin[type(operation)](station, operation)
        except OperationError as refusal:
            pending = Pending(station, operation)
            pending.refusal = refusal
            self._schedule(pending, self._clock.now_ns)

    def withdraw(self, node: str, number: int) -> None:
        """Nobody waits for the operation any more; harmless when it has ended.

        What waits (for a slot, for a pair) ends without effect and leaves no slot taken. All else
        runs to its end, and its result is dropped.
        """
        station = self._stations[node]
        pending = station.pending.get(number)
        if pending is None or pending.withdrawn:
            return
        self._journal.event(node, "withdrawn", number)
        if pending.opener is not None:
            station.waiting.remove(pending)
            del station.pending[number]
        elif isinstance(pending, Request):
            del station.pending[number]
            pending.link.withdraw(pending)
            self._halves.give_up(pending)
            station.release()
            pending.link.match()
        elif isinstance(pending.operation, Allocate):
            del station.pending[number]
            pending.cancel()
            station.release()
        elif self._pulses.withdraw(pending):
            del station.pending[number]
        else:
            pending.withdrawn = True

    # --- from the world ---

    def node_died(self, node: str, incarnation: int) -> None:
        """The node is dead: its operations are withdrawn, its qubits traced out, its slots free.

        Photons it had sent still arrive; requests of its peers stay queued. Raises InternalError
        for an incarnation that is not alive.
        """
        station = self._stations[node]
        if not station.alive or incarnation != station.incarnation:
            raise InternalError(f"{node} ({incarnation}) cannot die: {station}")
        for pending in station.pending.values():
            if isinstance(pending, Request) and pending.opener is None:
                pending.link.withdraw(pending)
        self._pulses.node_died(node)
        station.reset()
        held = self.registry.held_by(node)
        self.registry.discard(held, f"{node} died", self._clock.now_ns)
        self._journal.event(node, "memory_lost", held)

    def node_joined(self, node: str, incarnation: int) -> None:
        """A new incarnation is alive, with empty slots. The first ones are alive from the start."""
        station = self._stations[node]
        station.alive, station.incarnation = True, incarnation

    def cut(self, link: str) -> None:
        """The link carries nothing quantum: photons are lost, attempts end. Cuts nest."""
        for channel in self._channels(link):
            channel.cut()

    def heal(self, link: str) -> None:
        """One cut less; with the last one attempts are drawn anew."""
        for channel in self._channels(link):
            channel.heal()

    def tap(self, link: str, eavesdroppers: list[str]) -> None:
        """From now on the last of these takes what the link's ends send to each other; none: nobody."""
        node = eavesdroppers[-1] if eavesdroppers else ""
        if link in self._light.by_name:
            self._light.by_name[link].eavesdropper = self._stations[node] if node else None
            self._pulses.paths[link].eavesdropper = node

    def strike_heralds(self, link: str, fault: HeraldFault) -> None:
        """Have `fault` look at each success of what the link emits from now on."""
        self._heralded.by_name[link].faults.begin(fault)

    def spare_heralds(self, link: str, fault: HeraldFault) -> None:
        """It looks at none any more that is emitted from now on."""
        self._heralded.by_name[link].faults.end(fault)

    def reset_memory(self, node: str) -> int:
        """Every qubit in the node's memory is |0> from now on, and nobody is told; how many there were.

        Operations run on: what is under way finds |0>. Halves of which the node has yet to hear are struck
        too, at the latest when it hears.
        """
        station, now_ns = self._stations[node], self._clock.now_ns
        held = self.registry.held_by(node)
        for qubit in held:
            self.registry.reset(qubit, now_ns, silently=True)
        station.memory_reset_ns = now_ns
        self._journal.event(node, "memory_reset", held)
        return len(held) + self._pulses.reset_memory(node)

    def stored_in(self, node: str) -> int:
        """How many qubits, and photons of trains, lie in the node's memory."""
        return len(self.registry.held_by(node)) + self._pulses.kept_photons(node)

    def pending(self, node: str) -> list[tuple[int, str]]:
        """The node's operations under way, oldest first: (number, what it waits for)."""
        found = self._stations[node].pending.values()
        return [(each.number, _waits_for(each)) for each in found]

    def slots_used(self, node: str) -> int:
        """How many of the node's slots are taken."""
        return self._stations[node].slots.used

    def way(self, link: str) -> FibreChannel:
        """How light crosses the link. God's eye; asking changes nothing. Raises KeyError without one."""
        return self._light.by_name[link].way.way

    def at_end(self) -> dict[str, list[str]]:
        """Node -> what is still in its slots: qubits, then open requests. Empty if all is clean."""
        left: dict[str, list[str]] = {}
        for name, station in self._stations.items():
            if station.slots.used:
                opened = [pending for pending in station.pending.values() if pending.has_slot]
                requests = [f"{verb(each.operation)} {each.number}" for each in opened]
                left[name] = [*self.registry.held_by(name), *requests]
        return left

    # --- operations on held qubits ---

    def _queue(self, station: Station, operation: Operation) -> None:
        qubits, duration_ns = PLANS[type(operation)](station, operation)
        self.registry.require(station.name, qubits)
        end_ns = station.occupy(qubits, self._clock.now_ns, duration_ns)
        self._schedule(Pending(station, operation), end_ns)

    def _queue_transmit(self, station: Station, operation: Transmit) -> None:
        self._light_path(station.name, operation)
        qubits = (operation.qubit,)
        self.registry.require(station.name, qubits)
        end_ns = station.occupy(qubits, self._clock.now_ns, 0)
        self._schedule(Pending(station, operation), end_ns)

    def _transmit(self, station: Station, operation: Transmit, _: int) -> None:
        self.registry.require(station.name, (operation.qubit,))
        path = self._light_path(station.name, operation)
        path.launch(operation.qubit, station.name, self._stations[operation.to])
        station.vacate(operation.qubit)

    def _light_path(self, node: str, operation: Transmit) -> PhotonLink:
        """The link that is meant: of the node's own, or one on which it stands as an eavesdropper."""
        try:
            return self._light.choose(node, operation.to, operation.link)
        except LinkError:
            for name, path in self._light.by_name.items():
                taps = path.eavesdropper is not None and path.eavesdropper.name == node
                if taps and operation.to in path.ends and operation.link in (None, name):
                    return path
            raise

    # --- operations that take a slot ---

    def _claim(self, station: Station, operation: Allocate) -> None:
        pending = station.pending[operation.number] = Pending(station, operation)
        station.claim(pending, partial(self._allocate, pending))

    def _allocate(self, pending: Pending) -> None:
        self._schedule(pending, self._clock.now_ns + pending.station.initialisation_ns)

    def _ask(self, station: Station, operation: Entangle) -> None:
        link = self._heralded.choose(station.name, operation.peer, operation.link)
        request = Request(station, operation, link)
        station.pending[request.number] = request
        station.claim(request, partial(link.open, request))

    # --- what grows too old ---

    def _expire(self, node: str, qubit: str) -> None:
        """The qubit is past its memory's cut-off: discarded, and its slot free."""
        self.registry.discard([qubit], "past its cut-off", self._clock.now_ns)
        self._journal.event(node, "expired", qubit)
        self._metrics.count(f"{node}.expired")
        self.expired.append((node, qubit))
        self._stations[node].vacate(qubit)

    # --- results ---

    def _schedule(self, pending: Pending, end_ns: int) -> None:
        station, number = pending.station, pending.number
        pending.end_ns = end_ns
        station.pending[number] = pending
        order = (station.name, OPERATION, number)
        pending.entry = self._clock.at(end_ns, order, partial(self._end, pending))

    def _end(self, pending: Pending) -> None:
        station, operation = pending.station, pending.operation
        del station.pending[pending.number]
        refusal, value = pending.refusal, None
        if refusal is None:
            try:
                value = self._effects[type(operation)](station, operation, self._clock.now_ns)
            except OperationError as late:
                refusal = late
        self._give(pending, value, refusal)

    def _give(self, pending: Pending, value: Any, refusal: OperationError | None = None) -> None:
        node, number = pending.station.name, pending.number
        error = None
        if refusal is not None:
            error = (refusal.code, refusal.fields or {"why": str(refusal)})
        kind = "dropped" if pending.withdrawn else "result"
        self._journal.event(node, kind, number, outcome(value), error)
        if not pending.withdrawn:
            self.results.append((node, pending.incarnation, Result(number, value, error)))

    # --- links ---

    def _connect(self, topology: Topology, link: LinkSpec) -> None:
        name, ends = link.name, link.ends
        way, source = way_of(topology, link, self._streams), source_of(topology, link)
        disturbed = self.disturbances.links[name]
        if way is not None:
            light = FaultedFibre(way, disturbed)
            path = PhotonLink(
                name,
                ends,
                light,
                self.registry,
                self._streams,
                self._clock,
                self._journal,
                self._metrics,
                self._arrived,
            )
            self._light.add(name, ends, path)
            self._pulses.connect(name, ends, light)
        if source is not None:
            heralded = HeraldedLink(
                name,
                ends,
                source,
                multiplexing_of(link),
                self._streams,
                self._clock,
                self._halves,
                None if way is None else drift_of(link, way.fibre),
            )
            self._heralded.add(name, ends, heralded)
            changed = changing_source(link)
            disturbed.on_change(lambda changes: heralded.change(changed(changes)))

    def _channels(self, link: str) -> list[PhotonLink | HeraldedLink | PulseLink]:
        if link not in self._links:
            raise InternalError(f"there is no link {link}")
        tables = (self._light.by_name, self._heralded.by_name, self._pulses.paths)
        return [table[link] for table in tables if link in table]

    def _arrived(self, node: str, arrival: Arrival) -> None:
        self.arrivals.append((node, arrival))


def _waits_for(pending: Pending) -> str:
    if pending.opener is not None:
        return f"a free slot ({pending.station.slots.count} in use)"
    if isinstance(pending, Request):
        return pending.link.waits_for(pending)
    if isinstance(pending, Receiving):
        return pending.waits_for()
    return f"{verb(pending.operation)} until {format_ns(pending.end_ns)}"
