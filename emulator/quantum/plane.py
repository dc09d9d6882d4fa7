"""The quantum plane: operations in time.

Owns when the operations that nodes ask for take effect, and their results. Does not own what an operation is
(operations/), the states and who holds what (node/registry.py), slots (node/node_devices.py), when a qubit
is too old (node/memories.py), requests for pairs (pairs/), photons in flight (links/photons.py), pulse trains
(pulses/), or what faults have changed (fault_history.py). No I/O.

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

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..errors import InternalError, LinkError, OperationError
from ..faults.changes import NOTHING
from ..faults.verdicts import HeraldFault
from ..kernel.ports import OPERATION, Surroundings
from ..optics.free_space import FreeSpaceLink
from ..places import geometry_of
from ..record.private_fields import PrivateFields
from ..topology.model.topology import LinkSpec, Topology
from ..wire import Arrival, Operation, Result, Transmit
from .fault_history import FaultHistories
from .formalism import formalism_of, qubit_numbers
from .joint_probes import JointProbes
from .links.beacons import BeaconLink, Beacons
from .links.channels import FaultedChannel, LightChannel, LinksByEnds, light_channel_of
from .links.heralding import changing_source, drift_of, multiplexing_of
from .links.photons import PhotonLink
from .node.attempt_log import AttemptLog
from .node.memories import CutOffs, NodeMemory, check_cutoffs, decay_of
from .node.node_devices import NodeDevices, Pending
from .node.registry import Registry
from .operations.slots import hands_over
from .operations.table import ROWS, verb, waits_for
from .pairs.heralded_link import HeraldedLink
from .pairs.heralded_pair import Request
from .pulses.plane import PulsePlane
from .pulses.trains import PulseLink


class QuantumPlane:
    """Operations in, results and arrivals out; see the module's head.

    `results` and `arrivals` fill while completions run; the owner of the plane takes them out.
    `registry` is god's eye: tests, the recorder and `Probe` look at states through it.
    """

    def __init__(self, topology: Topology, around: Surroundings) -> None:
        self.around = around
        self._clock, self._journal = around.clock, around.journal
        self._private = PrivateFields(topology.record, topology.seed)
        #: (node, incarnation, result) in the order of their coming.
        self.results: list[tuple[str, int, Result]] = []
        #: The same, of those that wake no node and wait for the node's next grant.
        self.quiet_results: list[tuple[str, int, Result]] = []
        #: (node, arrival) in the order of their coming; the qubit lies in a slot of the node.
        self.arrivals: list[tuple[str, Arrival]] = []
        #: (node, qubit) that its memory has discarded, in the order of their going.
        self.expired: list[tuple[str, str]] = []
        nodes = sorted(topology.nodes.items())
        self.fault_histories = FaultHistories(topology.links, topology.nodes, around.clock)
        logs = {
            name: AttemptLog(partial(self._stored_since_ns, name))
            for name, spec in nodes
            if spec.memory.dephasing_per_attempt
        }
        memories = self._memories = {
            name: NodeMemory(
                decay_of(topology, spec),
                self.fault_histories.nodes[name],
                logs.get(name),
                spec.memory.dephasing_per_attempt,
            )
            for name, spec in nodes
        }
        check_cutoffs(topology)
        cutoffs_ns = {
            name: spec.memory.cutoff_ns for name, spec in nodes if spec.memory.cutoff_ns is not None
        }
        cutoffs = CutOffs(cutoffs_ns, around.clock, self._expire) if cutoffs_ns else None
        chosen = formalism_of(topology, partial(around.journal.event, "formalism", "twirled"))
        numbers = qubit_numbers(around.streams.seed)
        self.registry = Registry(memories.get, chosen, numbers, cutoffs)
        self.joint_probes = JointProbes(self.registry, around)
        self.devices = {
            name: NodeDevices(
                spec,
                around.streams.of("device", name),
                partial(around.streams.apart, "device", name),
                logs.get(name),
            )
            for name, spec in nodes
        }
        self.photon_links: LinksByEnds[PhotonLink] = LinksByEnds("carries photons")
        self.heralded_links: LinksByEnds[HeraldedLink] = LinksByEnds("heralds pairs")
        self.pulses: PulsePlane = PulsePlane(
            topology, around, self._schedule, self._give, self.fault_histories, memories
        )
        self.beacons = Beacons()
        self._links = topology.links
        for _, link in sorted(topology.links.items()):
            self._connect(topology, link)

    # --- from the nodes ---

    def issue(self, node: str, incarnation: int, operation: Operation, owner: str = "") -> None:
        """A node asks for an operation, at the present instant; `owner`: which of its services, if one.

        Its end, or the refusal of one that cannot be, becomes a `Result`: never in this instant.
        Raises InternalError for a node that is not alive in this incarnation, and for a number that
        is under way already.
        """
        devices, number = self.devices[node], operation.number
        if not devices.alive or incarnation != devices.incarnation or number in devices.pending:
            problem = f"{node} ({incarnation}) cannot issue operation {number}"
            raise InternalError(f"{problem}: {devices}")
        row = ROWS[type(operation)]
        whose: tuple[Any, ...] = ()
        if owner:
            devices.operation_owners[number] = owner
            whose = ({"service": owner},)
        shown = row.arguments(operation)
        if self._private.hides:
            shown = self._private(*shown)
        self._journal.event(node, "operation", number, row.verb, *shown, *whose)
        try:
            if row.plan is not None:
                self.queue(devices, operation, *row.plan(devices, operation))
            elif row.begin is not None:
                row.begin(self, devices, operation)
        except OperationError as refusal:
            pending = Pending(devices, operation)
            pending.refusal = refusal
            self._schedule(pending, self._clock.now_ns)

    def withdraw(self, node: str, number: int) -> None:
        """The node awaits the operation no more; harmless when it has ended.

        What waits (for a slot, for a pair) ends without effect and leaves no slot taken. All else
        runs to its end, and its result is dropped.
        """
        devices = self.devices[node]
        pending = devices.pending.get(number)
        if pending is None or pending.withdrawn:
            return
        self._journal.event(node, "withdrawn", number)
        withdraw = ROWS[type(pending.operation)].withdraw
        if pending.opener is not None:
            devices.waiting.remove(pending)
        elif pending.refusal is not None or withdraw is None or not withdraw(self, pending):
            pending.withdrawn = True
            return
        del devices.pending[number]
        devices.operation_owners.pop(number, None)

    def hand_over(self, node: str, qubit: str, owner: str) -> None:
        """The qubit is another tenant's of the node, which has it in a slot of the same pool."""
        devices = self.devices[node]
        if self.registry.holder_of(qubit) != node:
            return  # it is gone: an operation on it will say so
        if devices.slots.pool_of(owner) != devices.pool_with(qubit):
            raise InternalError(f"{node} hands {qubit} over to {owner!r}, which has its own slots")
        devices.hold(qubit, owner)

    # --- from the world ---

    def node_died(self, node: str, incarnation: int) -> None:
        """The node is dead: its operations are withdrawn, its qubits traced out, its slots free.

        Photons it had sent still arrive; requests of its peers stay queued. Raises InternalError
        for an incarnation that is not alive.
        """
        devices = self.devices[node]
        if not devices.alive or incarnation != devices.incarnation:
            raise InternalError(f"{node} ({incarnation}) cannot die: {devices}")
        for pending in devices.pending.values():
            if isinstance(pending, Request) and pending.opener is None:
                pending.link.withdraw(pending)
        self.pulses.node_died(node)
        for link in self.beacons.of(node):
            link.node_died(node)
        devices.reset()
        held = self.registry.held_by(node)
        self.registry.discard(held, f"{node} died", self._clock.now_ns)
        self._journal.event(node, "memory_lost", held)

    def node_joined(self, node: str, incarnation: int) -> None:
        """A new incarnation is alive, with empty slots. The first ones are alive from the start."""
        devices = self.devices[node]
        devices.alive, devices.incarnation = True, incarnation

    def pause(self, node: str) -> None:
        """The node stands still: its telescopes are not steered."""
        for link in self.beacons.of(node):
            link.stop(node)

    def resume(self, node: str) -> None:
        """The node runs again."""
        for link in self.beacons.of(node):
            link.resume(node)

    def cut(self, link: str) -> None:
        """The link carries nothing quantum: photons are lost, attempts end. Cuts nest."""
        for channel in self._channels(link):
            channel.cut()

    def heal(self, link: str) -> None:
        """One cut less; with the last one attempts are drawn anew."""
        for channel in self._channels(link):
            channel.heal()

    def tap(self, link: str, eavesdroppers: list[str]) -> None:
        """From now on the last of these takes what the link's ends send to each other, if there is one."""
        node = eavesdroppers[-1] if eavesdroppers else ""
        if link in self.photon_links.by_name:
            self.photon_links.by_name[link].eavesdropper = self.devices[node] if node else None
            self.pulses.links[link].eavesdropper = node

    def begin_herald_fault(self, link: str, fault: HeraldFault) -> None:
        """Have `fault` look at each success of what the link emits from now on."""
        self.heralded_links.by_name[link].faults.begin(fault)

    def end_herald_fault(self, link: str, fault: HeraldFault) -> None:
        """It looks at none any more that is emitted from now on."""
        self.heralded_links.by_name[link].faults.end(fault)

    def reset_memory(self, node: str) -> int:
        """Every qubit in the node's memory is |0> from now on, unknown to the node; how many there were.

        Operations run on: what is under way finds |0>. Halves of which the node has yet to hear are
        reset too, at the latest when it hears.
        """
        devices, now_ns = self.devices[node], self._clock.now_ns
        held = self.registry.held_by(node)
        for qubit in held:
            self.registry.reset(qubit, now_ns, silently=True)
        devices.memory_reset_ns = now_ns
        self._journal.event(node, "memory_reset", held)
        return len(held) + self.pulses.stores.reset(node)

    def stored_in(self, node: str) -> int:
        """How many qubits, and photons of trains, lie in the node's memory."""
        return len(self.registry.held_by(node)) + self.pulses.stores.photons(node)

    def pending(self, node: str) -> list[tuple[int, str]]:
        """The node's operations under way, oldest first: (number, what it waits for)."""
        found = self.devices[node].pending.values()
        return [(each.number, waits_for(each)) for each in found]

    def pending_words(self, node: str) -> list[str]:
        """What the node's operations under way wait for, oldest first, and for which service."""
        found = self.devices[node].pending.values()
        return [waits_for(each) + (f" (service {each.owner})" * bool(each.owner)) for each in found]

    def open_numbers(self, node: str, owner: str | None) -> list[int]:
        """The operations under way of one owner on the node, oldest first; None: of all."""
        found = self.devices[node].pending.values()
        return [each.number for each in found if owner is None or each.owner == owner]

    def slots_used(self, node: str) -> int:
        """How many of the node's slots are taken."""
        return self.devices[node].slots.used

    def pools(self, node: str) -> dict[str, tuple[int, int]]:
        """Service -> slots in use, and slots, of the pools that services have for themselves."""
        return self.devices[node].slots.of_services()

    def owners(self, node: str) -> dict[str, str]:
        """What is in the node's slots as in `at_end` -> its service; what is missing is the program's."""
        devices = self.devices[node]
        opened = [each for each in devices.pending.values() if each.has_slot and each.owner]
        requests = {f"{verb(each.operation)} {each.number}": each.owner for each in opened}
        return dict(sorted(devices.owners.items())) | requests

    def light_channel(self, link: str) -> LightChannel:
        """How light crosses the link without faults; asking changes nothing. Raises KeyError without one."""
        return self.photon_links.by_name[link].faulted.channel

    def at_end(self) -> dict[str, list[str]]:
        """Node -> what is still in its slots: qubits, then open requests. Empty if all is clean."""
        left: dict[str, list[str]] = {}
        for name, devices in self.devices.items():
            if devices.slots.used:
                opened = [pending for pending in devices.pending.values() if pending.has_slot]
                requests = [f"{verb(each.operation)} {each.number}" for each in opened]
                left[name] = [*self.registry.held_by(name), *requests]
        return left

    # --- for operations/ ---

    def queue(
        self, devices: NodeDevices, operation: Operation, qubits: Sequence[str], duration_ns: int
    ) -> None:
        """The operation takes so long, once all that were issued before on its qubits have ended."""
        self.registry.require(devices.name, qubits)
        end_ns = self._clock.now_ns
        if duration_ns or devices.busy:
            end_ns = devices.occupy(qubits, end_ns, duration_ns)
        self._schedule(Pending(devices, operation), end_ns)

    def end_after(self, pending: Pending, duration_ns: int) -> None:
        """The operation ends so much later."""
        self._schedule(pending, self._clock.now_ns + duration_ns)

    def photon_link(self, node: str, operation: Transmit) -> PhotonLink:
        """The link that is meant: of the node's own, or one on which it stands as an eavesdropper."""
        try:
            return self.photon_links.choose(node, operation.to, operation.link)
        except LinkError:
            for name, link in self.photon_links.by_name.items():
                taps = link.eavesdropper is not None and link.eavesdropper.name == node
                if taps and operation.to in link.ends and operation.link in (None, name):
                    return link
            raise

    def _stored_since_ns(self, node: str) -> int:
        return self.registry.stored_since_ns(node, self._clock.now_ns)

    # --- what grows too old ---

    def _expire(self, node: str, qubit: str) -> None:
        """The qubit is past its memory's cut-off: discarded, and its slot free."""
        self.registry.discard([qubit], "past its cut-off", self._clock.now_ns)
        self._journal.event(node, "expired", qubit)
        self.around.metrics.count(f"{node}.expired")
        self.expired.append((node, qubit))
        devices = self.devices[node]
        if devices.waiting:
            self._refuse_hand_overs(devices, qubit)
        devices.vacate(qubit)

    def _refuse_hand_overs(self, devices: NodeDevices, qubit: str) -> None:
        """What waits for a slot to hand the qubit over waits for nothing any more: it is gone."""
        for pending in [each for each in devices.waiting if hands_over(each, qubit)]:
            devices.waiting.remove(pending)
            pending.opener = pending.pool = None
            try:
                self.registry.require(devices.name, (qubit,))
            except OperationError as refusal:
                pending.refusal = refusal
            self._schedule(pending, self._clock.now_ns)

    # --- results ---

    def _schedule(self, pending: Pending, end_ns: int) -> None:
        devices, number = pending.devices, pending.number
        pending.end_ns = end_ns
        devices.pending[number] = pending
        order = (devices.name, OPERATION, number)
        pending.entry = self._clock.at(end_ns, order, partial(self._end, pending))

    def _end(self, pending: Pending) -> None:
        devices, operation = pending.devices, pending.operation
        del devices.pending[pending.number]
        refusal, value = pending.refusal, None
        effect = ROWS[type(operation)].effect
        if refusal is None and effect is not None:
            try:
                value = effect(self, devices, operation, self._clock.now_ns)
            except OperationError as late:
                refusal = late
        self._give(pending, value, refusal)

    def _give(self, pending: Pending, value: Any, refusal: OperationError | None = None) -> None:
        node, number = pending.devices.name, pending.number
        if pending.owner:
            pending.devices.operation_owners.pop(number, None)
        error = None
        if refusal is not None:
            error = (refusal.code, refusal.fields or {"why": str(refusal)})
        kind = "dropped" if pending.withdrawn else "result"
        shown: Any = None
        results = self.results
        if value is not None:
            row = ROWS[type(pending.operation)]
            shown = row.outcome(value)
            if row.quiet is not None and row.quiet(pending.devices, pending.operation, value):
                results = self.quiet_results
            if self._private.hides:
                (shown,) = self._private(shown)
        self._journal.event(node, kind, number, shown, error)
        if not pending.withdrawn:
            results.append((node, pending.incarnation, Result(number, value, error)))

    # --- links ---

    def _connect(self, topology: Topology, link: LinkSpec) -> None:
        name, ends, around = link.name, link.ends, self.around
        channel = light_channel_of(topology, link, around.streams)
        changed = changing_source(topology, link, around.streams)
        history = self.fault_histories.links[name]
        if channel is not None:
            faulted = FaultedChannel(channel, history)
            photons = PhotonLink(name, ends, faulted, around, self.registry, self._arrived)
            self.photon_links.add(name, ends, photons)
            self.pulses.connect(name, ends, faulted)
            if isinstance(channel.medium, FreeSpaceLink):
                above = partial(geometry_of, topology, link)
                self.beacons.add(
                    BeaconLink(name, ends, channel.medium, history, above, around, self._give)
                )
        if changed is not None:
            heralded = HeraldedLink(
                name,
                ends,
                changed(NOTHING),
                multiplexing_of(link),
                around,
                self.registry,
                history,
                self._give,
                self._memories,
                None if channel is None else drift_of(link, channel.medium),
            )
            self.heralded_links.add(name, ends, heralded)
            history.on_change(lambda changes: heralded.change(changed(changes)))

    def _channels(self, link: str) -> list[PhotonLink | HeraldedLink | PulseLink | BeaconLink]:
        if link not in self._links:
            raise InternalError(f"there is no link {link}")
        tables = (self.photon_links.by_name, self.heralded_links.by_name, self.pulses.links)
        found = [table[link] for table in tables if link in table]
        return [*found, *self.beacons.named(link)]

    def _arrived(self, node: str, arrival: Arrival) -> None:
        self.arrivals.append((node, arrival))
