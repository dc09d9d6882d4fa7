"""The quantum plane's part for pulse trains: what operations mean, and who gets which train.

Owns the operations Detect, Intercept and Split from their issue on, and the matching of trains with those
who wait for them. Does not own what is sent (sending.py), trains on their way (trains.py, ways.py), what is
done with one (sessions.py), photons that nodes keep (kept.py), or when results are journalled (plane.py,
which calls this).

Rules. A train goes to the operation that has waited longest
for it when its first light arrives; if none waits, it is lost: light is not kept. A node that detects
names the neighbour or, past eavesdroppers, the origin; a direct link goes before a way past them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import OperationError
from ...kernel.ports import Clock, Journal, Metrics
from ...kernel.streams import Streams
from ...topology.model.pulse_sections import DetectorSpec
from ...topology.model.topology import Topology
from ...wire import (
    BLOCK_SLOTS,
    Detect,
    Intercept,
    MeasureStored,
    Operation,
    PairPulses,
    Pulses,
    Split,
)
from ..links.fault_history import FaultHistories
from ..node.memory_slots import Pending, Station
from ..node.registry import Decay
from .devices import IDEAL, receiver
from .receivers import (
    Detecting,
    Give,
    Intercepting,
    Kind,
    Receiving,
    Splitting,
    TrainReception,
    check_columns,
)
from .routes import Ways
from .sending import Senders
from .stored import KeptPhotons, Schedule
from .trains import Train

#: The operations that this takes.
SENDING = (Pulses, PairPulses)
RECEIVING = (Detect, Intercept, Split)
OPERATIONS: tuple[type[Operation], ...] = (*SENDING, *RECEIVING, MeasureStored)


class PulsePlane:
    """Trains of all nodes. `schedule` and `give` are the plane's; `paths` its links, by name.

    `decay(node)`: how its memory decays, None if it does not.
    """

    def __init__(
        self,
        topology: Topology,
        streams: Streams,
        clock: Clock,
        journal: Journal,
        metrics: Metrics,
        schedule: Schedule,
        give: Give,
        disturbances: FaultHistories,
        decay: Callable[[str], Decay | None],
    ) -> None:
        self._nodes, self._disturbed = topology.nodes, disturbances.nodes
        self._streams, self._clock, self._journal, self._metrics = streams, clock, journal, metrics
        self._give = give
        self._ways = Ways(topology.nodes, clock, journal, metrics, disturbances, self._first_light)
        self.paths, self.connect = self._ways.paths, self._ways.connect
        self._senders = Senders(topology.nodes, self._ways, streams, clock, metrics, schedule)
        self._kept = KeptPhotons(topology.nodes, streams, clock, schedule, decay)
        #: Who waits for a train, oldest first, and sessions under way, by node.
        self._waiting: dict[str, list[Receiving]] = {name: [] for name in topology.nodes}
        self._sessions: dict[str, list[TrainReception]] = {name: [] for name in topology.nodes}
        self._begin: dict[type[Operation], Callable[[Station, Any], None]] = {
            MeasureStored: self._kept.begin,
            **dict.fromkeys(SENDING, self._senders.begin),
            **dict.fromkeys(RECEIVING, self._receive),
        }

    # --- from the plane ---

    def begin(self, station: Station, operation: Operation) -> None:
        """A node asks for one of OPERATIONS. Raises OperationError for one that cannot be."""
        self._begin[type(operation)](station, operation)

    def end(self, station: Station, operation: Any, _: int) -> Any:
        """The effect of an operation that `schedule` has ended."""
        if isinstance(operation, MeasureStored):
            return self._kept.end(station, operation)
        return self._senders.end(station, operation)

    def withdraw(self, pending: Pending) -> bool:
        """Nobody awaits it any more. True: it has ended without a result; else it runs to its end."""
        if isinstance(pending, Receiving):
            pending.cancel()
            if pending in self._waiting[pending.station.name]:
                self._waiting[pending.station.name].remove(pending)
            if pending.session is not None:
                self._close(pending.station.name, pending.session)
            return True
        if pending.refusal is None and isinstance(pending.operation, SENDING):
            self._senders.withdraw(pending.station.name, pending.operation)
        return False

    def node_died(self, name: str) -> None:
        """What the node sends ends; what it takes is lost; what it kept is gone."""
        self._senders.node_died(name)
        self._waiting[name].clear()
        for session in list(self._sessions[name]):
            self._close(name, session)
        self._kept.node_died(name)

    def kept_photons(self, node: str) -> int:
        """How many photons of trains the node keeps."""
        return self._kept.photons(node)

    def reset_memory(self, node: str) -> int:
        """What the node keeps of trains is |0> from now on; how many photons those are."""
        return self._kept.reset(node)

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
            self._ways.choose(operation.source, name, operation.link)
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
            self._ways.choose(operation.source, name, None)
            self._ways.choose(name, operation.to, None)
        share = operation.forward_singles if isinstance(operation, Split) else operation.fraction
        if not 0 <= share <= 1:
            raise OperationError(why=f"a share of {share}, expected 0 to 1")

    def _joined(self, first: str, second: str) -> bool:
        """Whether a link joins these two."""
        return any({first, second} == set(path.ends) for path in self._ways.paths.values())

    def _detector(self, name: str, operation: Detect | Intercept | Split) -> DetectorSpec:
        spec = self._nodes[name].detector
        if spec is None and isinstance(operation, Detect):
            raise OperationError(
                why=f"{name} has no detectors: give it a `detector:` in the topology"
            )
        return IDEAL if spec is None else spec

    def _session(self, name: str, operation: Detect | Intercept | Split) -> TrainReception:
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

    def _begin_session(self, train: Train, pending: Receiving) -> TrainReception:
        operation, name, path = pending.operation, train.to, train.path
        kind: Kind
        spec = self._detector(name, operation)
        noise_rate_hz = path.noise_rate_hz(train)
        rng = self._streams.of("pulses", f"{path.name}:{train.source}>{name}")
        if isinstance(operation, Split):
            if train.entangled:
                raise OperationError(
                    why="photons of pairs cannot be split by number here: what is kept and what goes on "
                    "would stay entangled with the other arm; intercept them"
                )
            kind = Splitting(
                train,
                self._go_on(train, operation.to),
                self._kept.new(name, train),
                operation.forward_singles,
                rng,
            )
            return TrainReception(train, kind, self._clock, self._give, 0)
        optics = receiver(spec, train.period_ps, noise_rate_hz, path.gate_ps(train))
        if isinstance(operation, Intercept):
            onward = self._go_on(train, operation.to)
            onward.entangled = train.entangled and operation.fraction < 1  # what passes her
            kind = Intercepting(
                train, onward, optics, operation.fraction, rng, self._disturbed[name]
            )
        else:
            kind = Detecting(train, optics, rng, self._disturbed[name])
        dead_ns = -(-round(spec.dead_time_ps) // 1000)
        return TrainReception(train, kind, self._clock, self._give, dead_ns)

    def _go_on(self, train: Train, to: str) -> Train:
        """The train that carries on where this one arrives: slot i leaves when it has come."""
        path = self._ways.choose(train.to, to, None)
        onward = to if to in path.ends else None
        return path.open(train.to, train.origin, train.arrives_ns, train.period_ps, onward)

    def _close(self, name: str, session: TrainReception) -> None:
        session.close()
        if session in self._sessions[name]:
            self._sessions[name].remove(session)


def _fits(train: Train, operation: Detect | Intercept | Split) -> bool:
    """Whether an operation is about this train."""
    if isinstance(operation, Detect) and operation.link not in (None, train.path.name):
        return False
    return operation.source in (train.source, train.origin)
