"""Pulse trains as they are sent: block after block, until the train ends or is stopped.

Owns the operations Pulses, PairPulses, CountedPulses and CountedPairs, and the step from a node's `source:`
to its source table. Does not own trains in flight and which link leads where (trains.py), or what sources
emit (devices/sources.py, optics/).

Rules. A node sends one train at a time on a link. The arms of a train of pairs leave in the same slots, so
that what stops one stops both. Pairs without a clock have slots of 1 ps, which only count time: a block of
them is a chunk of pairs, however long that lasts. What the topology cannot know before a train comes is
refused here, as an OperationError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from ...devices.sources import (
    AtomicEmitter,
    Pairs,
    SinglePhoton,
    Source,
    WeakCoherent,
    decoy_table,
    mean_photons,
)
from ...errors import InputError, OperationError
from ...kernel.ports import Surroundings
from ...optics import pair_counting as counting
from ...optics.counting import CountedLight
from ...optics.pairs import Caps, PairBlock, PairTrain
from ...optics.pulses import (
    NO_CHANNEL,
    STATES,
    Floats,
    LazyLight,
    Light,
    PulseTrain,
    states_along,
)
from ...topology.model.pulse_sections import SourceSpec
from ...topology.model.topology import NodeSpec
from ...wire import (
    BLOCK_SLOTS,
    COUNTED_SLOTS,
    LAZY_BLOCK_SLOTS,
    LONGEST_BLOCK_SLOTS,
    MOST_SETTINGS,
    CountedPairs,
    CountedPulses,
    LazySettings,
    PairPulses,
    Pulses,
    Sent,
)
from ...wire.bit_planes import packed_size, planes_for, unpacked
from ...wire.hashed_settings import BASES, BITS, INTENSITIES, HashedColumn
from ..node.node_devices import NodeDevices, Pending
from .settings import bases_of, check_axes, check_lazy, check_shares
from .stored_photons import Schedule
from .trains import Block, PulseLink, PulseRoutes, Train

#: Sources that send pairs.
PAIR_KINDS = ("spdc", "spdc_cw")
#: The operations that send.
Sending = Pulses | PairPulses | CountedPulses | CountedPairs
#: Bytes that both ends of a counted train get.
SECRET_BYTES = 32
#: Makes the light of a block, in layers, once it has arrived.
Emission = Callable[[Block], list[PulseTrain]]


@dataclass
class Outgoing:
    """What a node sends: one train, or the two arms of `pairs`. `operation`: its present block's."""

    trains: list[Train]
    pairs: PairTrain | None = None
    operation: Sending | None = None
    #: Slots of that block, and whether it is the train's last.
    block: tuple[int, bool] = field(default=(0, False))


class Senders:
    """The trains that are being sent."""

    def __init__(
        self,
        nodes: Mapping[str, NodeSpec],
        routes: PulseRoutes,
        around: Surroundings,
        schedule: Schedule,
    ) -> None:
        self._nodes, self._routes, self._streams = nodes, routes, around.streams
        self._clock, self._metrics, self._schedule = around.clock, around.metrics, schedule
        #: By (node, link): each link of an arm has its own entry.
        self._outgoing: dict[tuple[str, str], Outgoing] = {}

    def send_pulses(self, devices: NodeDevices, operation: Pulses) -> None:
        """A block of a train. Raises OperationError and LinkError for one that cannot be sent."""
        name = devices.name
        links = self._links(name, operation)
        table = source_table(self._nodes[name], operation.means)
        _check_size(operation, operation.lazy is not None)
        check_axes(operation.axes)
        _check_columns(operation, len(table))
        if operation.first == 0:
            self._open(name, links)
        found = self._going_on(name, links, operation)
        make = _light if operation.lazy is None else _lazy_light
        light = partial(make, operation, table, found.trains[0].period_ps)
        slots = operation.slots
        if slots > BLOCK_SLOTS and self._meets_eavesdropper(found.trains[0], operation.to):
            slots = BLOCK_SLOTS
        brightness = max(mean_photons(source.photons()) for source in table)
        self._emit(devices, operation, found, [light], slots, brightness)

    def send_pairs(self, devices: NodeDevices, operation: PairPulses) -> None:
        """A block of both arms of a train of pairs. Raises as `send_pulses`."""
        name = devices.name
        first, second = links = self._links(name, operation)
        source, fidelity = pair_source(self._nodes[name])
        clocked = _source(self._nodes[name]).clocked
        if not 1 <= operation.slots <= LONGEST_BLOCK_SLOTS:
            raise OperationError(
                why=f"{operation.slots} slots, expected 1 to {LONGEST_BLOCK_SLOTS} at once"
            )
        if first is second:
            raise OperationError(why=f"both arms on {first.name}: expected a link for each")
        if operation.first == 0:
            rng = self._streams.of("pairs", name)
            self._open(
                name,
                links,
                lambda trains: PairTrain(source, fidelity, rng, clocked, _caps(trains, 0, 1)),
                clocked,
            )
        found = self._going_on(name, links, operation)
        assert found.pairs is not None, "both links are of one train, which has two arms"
        pairs, at, period_ps = found.pairs, operation.first, found.trains[0].period_ps
        slots = min(operation.slots, BLOCK_SLOTS if clocked else pairs.chunk_slots)
        block = pairs.block(partial(_caps, found.trains, at, at + slots))
        arms = [partial(_arm, pairs, block, arm, period_ps) for arm in (0, 1)]
        brightness = 0.0 if clocked else source.mean_pairs
        self._emit(devices, operation, found, arms, slots, brightness)

    def send_counted(self, devices: NodeDevices, operation: CountedPulses) -> None:
        """A whole train of which only the clicks will be counted. Raises as `send_pulses`."""
        name = devices.name
        links = self._links(name, operation)
        table = source_table(self._nodes[name], operation.means)
        if not 1 <= operation.slots <= COUNTED_SLOTS:
            raise OperationError(why=f"{operation.slots} slots, expected 1 to {COUNTED_SLOTS}")
        check_axes(operation.axes)
        check_shares("bases", operation.bases, bases_of(operation.axes))
        check_shares("intensities", operation.intensities, len(table))
        self._open(name, links)
        found = self._going_on(name, links, operation)
        train = found.trains[0]
        train.secret = self._streams.of("secret", f"{train.link.name}:{name}").bytes(SECRET_BYTES)
        light = partial(_counted_light, operation, table, train.period_ps)
        self._emit(devices, operation, found, [light], operation.slots)

    def send_counted_pairs(self, devices: NodeDevices, operation: CountedPairs) -> None:
        """A whole train of pairs of which only clicks will be counted. Raises as `send_pulses`."""
        name = devices.name
        first, second = links = self._links(name, operation)
        source, fidelity = pair_source(self._nodes[name])
        spec = _source(self._nodes[name])
        if not 1 <= operation.slots <= COUNTED_SLOTS:
            raise OperationError(why=f"{operation.slots} slots, expected 1 to {COUNTED_SLOTS}")
        if first is second:
            raise OperationError(why=f"both arms on {first.name}: expected a link for each")
        rng = self._streams.of("pairs", name).spawn(1)[0]
        pairs = counting.CountedPairs(source, fidelity, spec.period_ps, spec.clocked, rng)
        self._open(name, links, clocked=spec.clocked)
        found = self._going_on(name, links, operation)
        secret = self._streams.of("secret", name).bytes(SECRET_BYTES)
        for train in found.trains:
            train.entangled, train.secret = True, secret
        arms = [partial(_counted_arm, pairs)] * 2
        self._emit(devices, operation, found, arms, operation.slots)

    def end(self, devices: NodeDevices, operation: Sending) -> Sent | None:
        """A block has left; None if its train had been withdrawn before."""
        found = self._under_way(devices.name, self._links(devices.name, operation))
        if found is None or found.operation is not operation:  # perhaps another train by now
            return None
        slots, last = found.block
        if last:
            self._forget(found)
        train = found.trains[0]
        # what both ends of pairs share the source does not know
        secret = b"" if train.entangled else train.secret or b""
        return Sent(train.start_ns, train.period_ps, slots, secret)

    def withdraw(self, pending: Pending) -> bool:
        """The train ends with what has left; the operation runs to its end, which is that of its block."""
        node, operation = pending.devices.name, pending.operation
        assert isinstance(operation, Sending)
        found = self._under_way(node, self._links(node, operation))
        if found is not None and found.operation is operation:
            self._stop(found)
        return False

    def node_died(self, node: str) -> None:
        """What it sends ends."""
        for found in [each for (name, _), each in self._outgoing.items() if name == node]:
            self._stop(found)

    # --- trains ---

    def _links(self, name: str, operation: Sending) -> list[PulseLink]:
        if isinstance(operation, (Pulses, CountedPulses)):
            return [self._routes.choose(name, operation.to, operation.link)]
        arms = zip(operation.to, operation.links, strict=True)
        return [self._routes.choose(name, to, link) for to, link in arms]

    def _open(
        self,
        name: str,
        links: list[PulseLink],
        pairs: Callable[[list[Train]], PairTrain] | None = None,
        clocked: bool = True,
    ) -> None:
        for link in links:
            if (name, link.name) in self._outgoing:
                raise OperationError(why=f"{name} is sending a train on {link.name} already")
        spec, now_ns = self._nodes[name].source, self._clock.now_ns
        assert spec is not None, "a node without a source has been refused"
        trains = [link.open(name, name, now_ns, spec.period_ps) for link in links]
        found = Outgoing(trains, None if pairs is None else pairs(trains))
        for train in trains:
            train.entangled, train.clocked = pairs is not None, clocked
            self._outgoing[name, train.link.name] = found

    def _under_way(self, name: str, links: list[PulseLink]) -> Outgoing | None:
        """The train on exactly these links."""
        found = self._outgoing.get((name, links[0].name))
        if found is None or [train.link for train in found.trains] != links:
            return None
        return found

    def _going_on(self, name: str, links: list[PulseLink], operation: Sending) -> Outgoing:
        """The train that this is the next block of."""
        found = self._under_way(name, links)
        if found is None or found.trains[0].over or found.trains[0].slots != operation.first:
            names = " and ".join(link.name for link in links)
            raise OperationError(
                why=f"no train of {name} on {names} continues at slot {operation.first}"
            )
        return found

    def _emit(
        self,
        devices: NodeDevices,
        operation: Sending,
        found: Outgoing,
        lights: Sequence[Emission],
        slots: int,
        brightness: float = 0.0,
    ) -> None:
        """A block is on its way, and its operation ends with it."""
        last = operation.last and slots == operation.slots
        found.operation, found.block = operation, (slots, last)
        end_ns = found.trains[0].ends_ns(slots)
        for train, light in zip(found.trains, lights, strict=True):
            train.send(slots, end_ns, last, light, brightness)
            if train.clocked:
                self._metrics.count(f"links.{train.link.name}.pulses", slots)
        self._schedule(Pending(devices, operation), end_ns)

    def _meets_eavesdropper(self, train: Train, to: str) -> bool:
        """Whether the train goes to another node than its destination, or to one that may not be it."""
        return train.to != to or self._nodes[train.to].kind == "eavesdropper"

    def _stop(self, found: Outgoing) -> None:
        for train in found.trains:
            train.stop(self._clock.now_ns)
        self._forget(found)

    def _forget(self, found: Outgoing) -> None:
        for train in found.trains:
            self._outgoing.pop((train.source, train.link.name), None)


def _check_size(operation: Pulses, lazy: bool) -> None:
    slots, most = operation.slots, LAZY_BLOCK_SLOTS if lazy else BLOCK_SLOTS
    if not 1 <= slots <= most or (slots < most and not operation.last):
        raise OperationError(why=f"a block of {slots} slots, expected {most} but in the last")


def _check_columns(operation: Pulses, settings: int) -> None:
    """Raises OperationError for columns that do not fit the block."""
    kinds = bases_of(operation.axes)
    if operation.lazy is not None:
        if operation.bases or operation.bits or operation.intensities:
            raise OperationError(why="columns beside lazy settings: expected one of the two")
        check_lazy(operation.lazy, kinds, settings)
        return
    slots, planes = operation.slots, planes_for(settings)
    for column, bits in (("bases", planes_for(kinds)), ("bits", 1), ("intensities", planes)):
        if len(getattr(operation, column)) != packed_size(slots, bits):
            raise OperationError(why=f"{column} of another length than {slots} slots")
    for name, data, count in (
        ("intensity", operation.intensities, settings),
        ("basis", operation.bases, kinds),
    ):
        if count & (count - 1):  # else every number that fits into the planes is one
            highest = int(unpacked(data, slots, planes_for(count)).max())
            if highest >= count:
                raise OperationError(
                    why=f"{name} {highest}, expected a setting from 0 to {count - 1}"
                )


def _light(
    operation: Pulses, table: tuple[Source, ...], period_ps: int, block: Block
) -> list[PulseTrain]:
    """The light of a block: its columns unpacked, as far as it was sent."""
    sent, slots, planes = slice(block.slots), operation.slots, planes_for(len(table))
    bases = unpacked(operation.bases, slots, planes_for(bases_of(operation.axes)))[sent]
    bits = unpacked(operation.bits, slots)[sent]
    intensities = unpacked(operation.intensities, slots, planes)[sent]
    light = Light(block.first, bases, bits, intensities, table, NO_CHANNEL, _states(operation))
    return [PulseTrain.of(light, period_ps)]


def _lazy_light(
    operation: Pulses, table: tuple[Source, ...], period_ps: int, block: Block
) -> list[PulseTrain]:
    """The light of (a piece of) a block whose columns are hashed."""
    settings = operation.lazy
    assert settings is not None, "a block of columns has light of its own"

    def hashed(word: int, shares: list[float]) -> HashedColumn:
        return HashedColumn(settings.key, word, shares, block.first, block.slots)

    light = LazyLight(
        hashed(BASES, settings.bases),
        hashed(BITS, settings.bits),
        hashed(INTENSITIES, settings.intensities),
        _highest(settings),
        table,
        NO_CHANNEL,
        _states(operation),
    )
    return [PulseTrain.of(light, period_ps)]


def _counted_light(
    operation: CountedPulses, table: tuple[Source, ...], period_ps: int, block: Block
) -> list[PulseTrain]:
    """The light of a train that is only counted, as far as it was sent."""
    light = CountedLight(
        block.first,
        block.slots,
        NO_CHANNEL,
        tuple(operation.bases),
        tuple(operation.intensities),
        table,
        _states(operation),
    )
    return [PulseTrain.of(light, period_ps)]


def _highest(settings: LazySettings) -> int:
    """The highest intensity that may be sent."""
    return max(index for index, share in enumerate(settings.intensities) if share > 0)


def _states(operation: Pulses | CountedPulses) -> Floats:
    return STATES if operation.axes is None else states_along(operation.axes)


def _arm(
    pairs: PairTrain, shared: PairBlock, arm: int, period_ps: int, block: Block
) -> list[PulseTrain]:
    """One arm of a block of pairs, as far as it was sent."""
    return [PulseTrain.of(pairs.arm(shared, arm, block.first, block.slots), period_ps)]


def _counted_arm(pairs: counting.CountedPairs, block: Block) -> list[PulseTrain]:
    """An arm of counted pairs, as far as it was sent."""
    return [PulseTrain.of(pairs.arm(block.first, block.slots), pairs.period_ps)]


def _caps(trains: Sequence[Train], first: int, end: int) -> Caps:
    """The most that the channels of both arms let through of the slots from `first` to before `end`."""
    one, other = (
        float(train.link.channel(train, first, end, count=False).etas.max()) for train in trains
    )
    return one, other


# --- what a node sends with -------------------------------------------------------------------------


def source_table(spec: NodeSpec, means: list[float] | None) -> tuple[Source, ...]:
    """The settings that a train of the node points into: its own, or lasers of these `means`.

    Raises OperationError for a node without a source or with one of pairs, and for means that it cannot
    send.
    """
    source = _source(spec)
    if source.kind in PAIR_KINDS:
        raise OperationError(
            why=f"the source of {spec.name} is {source.kind}: it sends pairs, by pair_pulses"
        )
    if means is None:
        return _table(source)
    if source.kind != "weak_coherent":
        raise OperationError(
            why=f"the source of {spec.name} is {source.kind}: only weak_coherent pulses have a mean "
            "photon number to choose"
        )
    if not 1 <= len(means) <= MOST_SETTINGS:
        raise OperationError(why=f"{len(means)} mean photon numbers, expected 1 to {MOST_SETTINGS}")
    try:
        return tuple(WeakCoherent(mean) for mean in means)
    except InputError as error:
        raise OperationError(why=str(error)) from error


def pair_source(spec: NodeSpec) -> tuple[Pairs, float]:
    """(pairs per slot, fidelity of a pair alone). Raises OperationError for a node that sends none."""
    source = _source(spec)
    if source.kind not in PAIR_KINDS:
        raise OperationError(
            why=f"the source of {spec.name} is {source.kind}: pairs come from one of kind "
            f"{' or '.join(PAIR_KINDS)}"
        )
    return _pairs(source), 1.0 if source.fidelity is None else source.fidelity


def mean_photon_numbers(source: SourceSpec) -> list[float]:
    """What a node knows of its settings: means of a laser, P(1) of a single emitter, pairs a slot."""
    if source.kind == "weak_coherent":
        return source.table
    if source.kind in PAIR_KINDS:
        return [_pairs(source).mean_pairs]
    return [float(each.photons()[1]) for each in _table(source)]


def several_photons(source: SourceSpec) -> list[float]:
    """How probable two photons or more are in a pulse of each setting; none of a source of pairs."""
    if source.kind in PAIR_KINDS:
        return []
    return [float(each.photons()[2:].sum()) for each in _table(source)]


def _source(spec: NodeSpec) -> SourceSpec:
    if spec.source is None:
        raise OperationError(why=f"{spec.name} has no source: give it a `source:` in the topology")
    return spec.source


def _table(source: SourceSpec) -> tuple[Source, ...]:
    if source.kind == "single_photon":
        brightness = 1.0 if source.brightness is None else source.brightness
        return (SinglePhoton(brightness, source.g2 or 0.0),)
    if source.kind == "emitter":
        return (_emitter(source),)
    return decoy_table(*source.table)


def _emitter(source: SourceSpec) -> AtomicEmitter:
    """Of a photon that is longer than its window, which is the slot by default, the rest is lost."""
    window_ps = source.period_ps if source.window_ps is None else source.window_ps
    return AtomicEmitter(
        collection=source.collection or 0.0,
        lifetime_ns=None if source.lifetime_ps is None else source.lifetime_ps / 1e3,
        window_ns=window_ps / 1e3,
        double_excitation=source.double_excitation or 0.0,
    )


def _pairs(source: SourceSpec) -> Pairs:
    """Pairs at random times are each by itself, and as many of them in one slot as in any."""
    if not source.clocked:
        return Pairs((source.pair_rate_hz or 0.0) * source.period_ps * 1e-12, "poisson")
    return Pairs(source.mean_pairs or 0.0, source.statistics or "polarisation")
