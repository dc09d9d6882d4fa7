"""Pulse trains as they are sent: who sends what, block after block, until it ends or is stopped.

Owns the operations Pulses and PairPulses. Does not own trains on their way (trains.py), what sources emit
(optics.py, channels/), or which link leads where (ways.py).

Rules. A node sends one train at a time on a link. The arms of a train of pairs leave in the same slots, so
that what stops one stops both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ...devices.sources import Source
from ...errors import OperationError
from ...kernel.ports import Clock, Metrics
from ...kernel.streams import Streams
from ...optics.pairs import PairBlock, PairTrain
from ...optics.pulses import NOTHING_MET, Light, PulseTrain
from ...topology.model.topology import NodeSpec
from ...wire import BLOCK_SLOTS, PairPulses, Pulses, Sent
from ...wire.bit_planes import packed_size, planes_for, unpacked
from ..node.memory_slots import Pending, Station
from .devices import pair_source, source_table
from .routes import Ways
from .stored import Schedule
from .trains import Block, PulseLink, Train

#: The operations that send.
Sending = Pulses | PairPulses
#: Makes the light of a block, in layers, once it has arrived.
Emission = Callable[[Block], list[PulseTrain]]


@dataclass
class Outgoing:
    """What a node sends: one train, or the two arms of `pairs`. `operation`: its present block's."""

    trains: list[Train]
    pairs: PairTrain | None = None
    operation: Sending | None = None


class Senders:
    """The trains that are being sent."""

    def __init__(
        self,
        nodes: Mapping[str, NodeSpec],
        ways: Ways,
        streams: Streams,
        clock: Clock,
        metrics: Metrics,
        schedule: Schedule,
    ) -> None:
        self._nodes, self._ways, self._streams = nodes, ways, streams
        self._clock, self._metrics, self._schedule = clock, metrics, schedule
        #: By (node, link): each link of an arm has its own entry.
        self._outgoing: dict[tuple[str, str], Outgoing] = {}

    def begin(self, station: Station, operation: Sending) -> None:
        """A block of a train. Raises OperationError and LinkError for one that cannot be sent."""
        if isinstance(operation, Pulses):
            self._send_pulses(station, operation)
        else:
            self._send_pairs(station, operation)

    def end(self, station: Station, operation: Sending) -> Sent | None:
        """A block has left; None if its train had been withdrawn before."""
        found = self._under_way(station.name, self._paths(station.name, operation))
        if found is None or found.operation is not operation:  # perhaps another train by now
            return None
        if operation.last:
            self._forget(found)
        return Sent(found.trains[0].start_ns, found.trains[0].period_ps)

    def withdraw(self, node: str, operation: Sending) -> None:
        """Nobody awaits the train any more: it ends with what has left."""
        found = self._under_way(node, self._paths(node, operation))
        if found is not None and found.operation is operation:
            self._stop(found)

    def node_died(self, node: str) -> None:
        """What it sends ends."""
        for found in [each for (name, _), each in self._outgoing.items() if name == node]:
            self._stop(found)

    def _send_pulses(self, station: Station, operation: Pulses) -> None:
        name = station.name
        paths = self._paths(name, operation)
        table = source_table(self._nodes[name], operation.means)
        _check_size(operation)
        _check_columns(operation, len(table))
        if operation.first == 0:
            self._open(name, paths)
        found = self._going_on(name, paths, operation)
        light = partial(_light, operation, table, found.trains[0].period_ps)
        self._emit(station, operation, found, [light])

    def _send_pairs(self, station: Station, operation: PairPulses) -> None:
        name = station.name
        first, second = paths = self._paths(name, operation)
        source, fidelity = pair_source(self._nodes[name])
        _check_size(operation)
        if first is second:
            raise OperationError(why=f"both arms on {first.name}: expected a link for each")
        if operation.first == 0:
            rng = self._streams.of("pairs", name)
            self._open(name, paths, lambda: PairTrain(source, fidelity, rng))
        found = self._going_on(name, paths, operation)
        assert found.pairs is not None, "both links are of one train, which has two arms"
        block, period_ps = found.pairs.block(), found.trains[0].period_ps
        arms = [partial(_arm, found.pairs, block, arm, period_ps) for arm in (0, 1)]
        self._emit(station, operation, found, arms)

    # --- trains ---

    def _paths(self, name: str, operation: Sending) -> list[PulseLink]:
        if isinstance(operation, Pulses):
            return [self._ways.choose(name, operation.to, operation.link)]
        arms = zip(operation.to, operation.links, strict=True)
        return [self._ways.choose(name, to, link) for to, link in arms]

    def _open(
        self, name: str, paths: list[PulseLink], pairs: Callable[[], PairTrain] | None = None
    ) -> None:
        for path in paths:
            if (name, path.name) in self._outgoing:
                raise OperationError(why=f"{name} is sending a train on {path.name} already")
        spec, now_ns = self._nodes[name].source, self._clock.now_ns
        assert spec is not None, "a node without a source has been refused"
        trains = [path.open(name, name, now_ns, spec.period_ps) for path in paths]
        found = Outgoing(trains, None if pairs is None else pairs())
        for train in trains:
            train.entangled = pairs is not None
            self._outgoing[name, train.path.name] = found

    def _under_way(self, name: str, paths: list[PulseLink]) -> Outgoing | None:
        """The train on exactly these links."""
        found = self._outgoing.get((name, paths[0].name))
        if found is None or [train.path for train in found.trains] != paths:
            return None
        return found

    def _going_on(self, name: str, paths: list[PulseLink], operation: Sending) -> Outgoing:
        """The train that this is the next block of."""
        found = self._under_way(name, paths)
        if found is None or found.trains[0].over or found.trains[0].slots != operation.first:
            links = " and ".join(path.name for path in paths)
            raise OperationError(
                why=f"no train of {name} on {links} goes on at slot {operation.first}"
            )
        return found

    def _emit(
        self, station: Station, operation: Sending, found: Outgoing, lights: Sequence[Emission]
    ) -> None:
        """A block is on its way, and its operation ends with it."""
        found.operation = operation
        end_ns = found.trains[0].ends_ns(operation.slots)
        for train, light in zip(found.trains, lights, strict=True):
            train.send(operation.slots, end_ns, operation.last, light)
            self._metrics.count(f"links.{train.path.name}.pulses", operation.slots)
        self._schedule(Pending(station, operation), end_ns)

    def _stop(self, found: Outgoing) -> None:
        for train in found.trains:
            train.stop(self._clock.now_ns)
        self._forget(found)

    def _forget(self, found: Outgoing) -> None:
        for train in found.trains:
            self._outgoing.pop((train.source, train.path.name), None)


def _check_size(operation: Sending) -> None:
    slots = operation.slots
    if not 1 <= slots <= BLOCK_SLOTS or (slots < BLOCK_SLOTS and not operation.last):
        raise OperationError(
            why=f"a block of {slots} slots, expected {BLOCK_SLOTS} but in the last"
        )


def _check_columns(operation: Pulses, settings: int) -> None:
    """Raises OperationError for columns that do not fit the block."""
    slots, planes = operation.slots, planes_for(settings)
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


def _arm(
    pairs: PairTrain, shared: PairBlock, arm: int, period_ps: int, block: Block
) -> list[PulseTrain]:
    """One arm of a block of pairs, as far as it was sent."""
    return [PulseTrain.of(pairs.arm(shared, arm, block.first, block.slots), period_ps)]
