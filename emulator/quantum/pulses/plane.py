"""The quantum plane's part for pulse trains: what operations mean, and which node gets which train.

Owns the operations Detect, CountClicks, Intercept and Split from their issue on, and the matching of trains
with the nodes that wait for them. Does not own what is sent (sending.py), trains in flight and their routes
(trains.py), what is done with one (reception.py), photons that nodes store (stored_photons.py), or when
results are journalled (quantum/plane.py).

Rules. A train goes to the operation that has waited longest for it when its first light arrives; if none
waits, it is lost: light is not kept. A node that detects names the neighbour or, past eavesdroppers, the
origin; a direct link goes before a route past them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ...errors import OperationError
from ...kernel.ports import Surroundings
from ...optics.counting import ClickCounter
from ...optics.interception import BeamSplitter, PhotonNumberSplitter, Splitter
from ...optics.pulses import EFFECTS, STATES, effects_along, states_along
from ...topology.model.pulse_sections import DetectorSpec
from ...topology.model.topology import Topology
from ...wire import BLOCK_SLOTS, LONGEST_BLOCK_SLOTS, CountClicks, Detect, Intercept, Split
from ..fault_history import FaultHistories
from ..node.memories import NodeMemory
from ..node.node_devices import NodeDevices
from .counted_arms import CountedArms
from .reception import (
    IDEAL,
    ArmCounter,
    Give,
    Interceptor,
    PulseCounter,
    PulseDetector,
    PulseSplitter,
    ReceiverKind,
    Receiving,
    Taking,
    TrainReception,
    check_columns,
    receiver,
)
from .sending import Senders
from .stored_photons import PhotonStores, Schedule
from .trains import PulseRoutes, Train


class PulsePlane:
    """Trains of all nodes. `schedule` and `give` are the quantum plane's; `links` are by name."""

    def __init__(
        self,
        topology: Topology,
        around: Surroundings,
        schedule: Schedule,
        give: Give,
        fault_histories: FaultHistories,
        memories: Mapping[str, NodeMemory],
    ) -> None:
        self._nodes, self._histories = topology.nodes, fault_histories.nodes
        self._around, self._give = around, give
        self._routes = PulseRoutes(topology.nodes, around, fault_histories, self._first_light)
        self.links, self.connect = self._routes.by_name, self._routes.connect
        self.senders = Senders(topology.nodes, self._routes, around, schedule)
        self.stores = PhotonStores(around, schedule, memories)
        self.arms = CountedArms(around, schedule)
        #: Operations that wait for a train, oldest first, and receptions under way, by node.
        self._waiting: dict[str, list[Receiving]] = {name: [] for name in topology.nodes}
        self._receptions: dict[str, list[TrainReception]] = {name: [] for name in topology.nodes}

    def node_died(self, name: str) -> None:
        """What the node sends ends; what it takes is lost; what it stored is gone."""
        self.senders.node_died(name)
        self._waiting[name].clear()
        for reception in list(self._receptions[name]):
            self._close(name, reception)
        self.stores.node_died(name)

    # --- receiving ---

    def receive(self, devices: NodeDevices, operation: Taking) -> None:
        """The node takes the next block of a train. Raises OperationError and LinkError."""
        name = devices.name
        check_columns(operation, self._detector(name, operation).splitting is not None)
        _check_slots(operation)
        pending = Receiving(devices, operation)
        if operation.first == 0:
            self._check_ends(name, operation)
            self._waiting[name].append(pending)
        else:
            self._reception(name, operation).ask(pending)
        devices.pending[pending.number] = pending

    def withdraw(self, pending: Receiving) -> bool:
        """The node waits no more: its reception ends, and the operation with it."""
        name = pending.devices.name
        pending.cancel()
        if pending in self._waiting[name]:
            self._waiting[name].remove(pending)
        if pending.reception is not None:
            self._close(name, pending.reception)
        return True

    def _check_ends(self, name: str, operation: Taking) -> None:
        """Raises LinkError and OperationError for a train that can never come, or never be sent on."""
        if isinstance(operation, (Detect, CountClicks)):
            self._routes.choose(operation.source, name, operation.link)
            return
        if name in (operation.source, operation.to):
            raise OperationError(why=f"{name} is not on the way of its own light")
        if isinstance(operation, Split) and self._nodes[name].memory.cutoff_ns is not None:
            raise OperationError(
                why=f"the memory of {name} has a cutoff, which cannot act on photons of a train: expected "
                "none under memory"
            )
        waits = self._nodes[name].kind == "eavesdropper"  # for a fault to put it on their link
        if not (waits and self._joined(operation.source, operation.to)):
            self._routes.choose(operation.source, name, None)
            self._routes.choose(name, operation.to, None)
        shares = [operation.fraction] if isinstance(operation, Intercept) else _shares(operation)
        for share in shares:
            if not 0 <= share <= 1:
                raise OperationError(why=f"a share of {share}, expected 0 to 1")

    def _joined(self, first: str, second: str) -> bool:
        """Whether a link joins these two."""
        return any({first, second} == set(link.ends) for link in self.links.values())

    def _detector(self, name: str, operation: Taking) -> DetectorSpec:
        spec = self._nodes[name].detector
        if spec is None and isinstance(operation, (Detect, CountClicks)):
            raise OperationError(
                why=f"{name} has no detectors: give it a `detector:` in the topology"
            )
        return IDEAL if spec is None else spec

    def _reception(self, name: str, operation: Taking) -> TrainReception:
        for reception in self._receptions[name]:
            if _fits(reception.train, operation) and reception.slots == operation.first:
                return reception
        raise OperationError(
            why=f"no train from {operation.source} continues at slot {operation.first} at {name}"
        )

    def _first_light(self, train: Train) -> None:
        """A train begins to arrive: it belongs to the operation that has waited longest for it."""
        name = train.to
        for pending in self._waiting[name]:
            if _fits(train, pending.operation):
                break
        else:
            self._around.journal.event(train.link.name, "train_lost", train.number, f"at {name}")
            self._around.metrics.count(f"links.{train.link.name}.trains_lost")
            return
        self._waiting[name].remove(pending)
        try:
            reception = self._begin_reception(train, pending)
            reception.ask(pending)
        except OperationError as refusal:
            del pending.devices.pending[pending.number]
            self._give(pending, None, refusal)
            return
        train.reception = reception
        self._receptions[name] = [
            each for each in self._receptions[name] if each.train.reception is each
        ] + [reception]

    def _begin_reception(self, train: Train, pending: Receiving) -> TrainReception:
        operation, name, link = pending.operation, train.to, train.link
        kind: ReceiverKind
        _check_counted(train, operation)
        if not train.clocked:
            _check_unclocked(train, operation)
        if train.long and not isinstance(operation, Detect):
            raise OperationError(
                why=f"pulses that {train.source} sends lazily to {name} itself come in blocks of more than "
                f"{BLOCK_SLOTS} slots: expected detect, or a node of kind eavesdropper on their way"
            )
        spec = self._detector(name, operation)
        noise_rate_hz = link.noise_rate_hz(train)
        rng = self._around.streams.of("pulses", f"{link.name}:{train.source}>{name}")
        if isinstance(operation, Split):
            if train.entangled:
                raise OperationError(
                    why="photons of pairs cannot be split by number here: what is kept and what is sent on "
                    "would stay entangled with the other arm; intercept them"
                )
            splitter: Splitter = (
                PhotonNumberSplitter(rng, operation.forward_singles, operation.forward_several)
                if operation.share is None
                else BeamSplitter(rng, operation.share)
            )
            onward = self._send_on(train, operation.to)
            kind = PulseSplitter(train, onward, self.stores.new(name, train), splitter)
            return TrainReception(train, kind, self._around.clock, self._give, 0)
        optics = receiver(
            spec, train.period_ps, noise_rate_hz, link.gate_ps(train), link.most_sky_hz(train)
        )
        effects = EFFECTS if operation.axes is None else effects_along(operation.axes)
        if isinstance(operation, CountClicks) and train.entangled:
            kind = ArmCounter(
                train, optics, operation.bases, effects, self._histories[name], self.arms
            )
        elif isinstance(operation, CountClicks):
            counter = ClickCounter(optics, train.period_ps, rng, operation.bases, effects)
            kind = PulseCounter(train, counter, self._histories[name])
        elif isinstance(operation, Intercept):
            if train.entangled and operation.shifts is not None:
                raise OperationError(why="photons of pairs cannot be moved in their slots here")
            onward = self._send_on(train, operation.to)
            onward.entangled = train.entangled and operation.fraction < 1  # what passes her
            states = STATES if operation.axes is None else states_along(operation.axes)
            kind = Interceptor(
                train,
                onward,
                optics,
                operation.fraction,
                rng,
                self._histories[name],
                states,
                operation.faked,
            )
        else:
            count_bright = partial(self._around.metrics.count, f"{name}.bright_slots")
            kind = PulseDetector(train, optics, rng, self._histories[name], count_bright, effects)
        dead_ns = -(-round(spec.dead_time_ps) // 1000)
        return TrainReception(train, kind, self._around.clock, self._give, dead_ns)

    def _send_on(self, train: Train, to: str) -> Train:
        """The train that is sent on where this one arrives: slot i leaves when it has come."""
        link = self._routes.choose(train.to, to, None)
        onward = to if to in link.ends else None
        return link.open(train.to, train.origin, train.arrives_ns, train.period_ps, onward)

    def _close(self, name: str, reception: TrainReception) -> None:
        reception.close()
        if reception in self._receptions[name]:
            self._receptions[name].remove(reception)


def _check_unclocked(train: Train, operation: Taking) -> None:
    """Raises OperationError for what takes a train slot by slot: pairs without a clock have none."""
    if isinstance(operation, CountClicks):
        return
    if not isinstance(operation, Detect):
        raise OperationError(
            why=f"pairs of {train.origin} come at any time, not in slots: expected detect"
        )
    if operation.bases is not None:
        raise OperationError(
            why=f"pairs of {train.origin} come at any time, not in slots with a basis each: expected a beam "
            "splitter before the detectors (`splitting:`), or lazy bases (`window:` of a QKD program)"
        )


def _shares(operation: Split) -> list[float]:
    share = 0.0 if operation.share is None else operation.share
    return [operation.forward_singles, operation.forward_several, share]


def _check_slots(operation: Taking) -> None:
    if isinstance(operation, CountClicks):
        return
    columns = not isinstance(operation, Detect) or operation.bases is not None
    most = BLOCK_SLOTS if columns else LONGEST_BLOCK_SLOTS
    if not 1 <= operation.slots <= most:
        raise OperationError(why=f"{operation.slots} slots, expected 1 to {most}")


def _check_counted(train: Train, operation: Taking) -> None:
    """Raises OperationError for a train without slots where slots are wanted, and the other way round."""
    counts = isinstance(operation, CountClicks)
    if counts and train.secret is None:
        raise OperationError(
            why=f"the train of {train.source} was not sent to be counted: expected counted_pulses or "
            "counted_pairs there, or detect here"
        )
    if not counts and train.secret is not None:
        raise OperationError(
            why=f"of the train of {train.source} nothing but the clicks is counted, so it has no slots to "
            "look at: expected count_clicks, at the end that it is sent to"
        )


def _fits(train: Train, operation: Taking) -> bool:
    """Whether an operation is about this train."""
    if isinstance(operation, (Detect, CountClicks)) and operation.link not in (
        None,
        train.link.name,
    ):
        return False
    return operation.source in (train.source, train.origin)
