"""Reception: one node that takes one pulse train, block by block.

Owns what becomes of a train where it arrives: it is detected, counted, measured and sent anew, or split; and
the step from a node's `detector:` to its receiver. Does not own when its blocks arrive (trains.py), which
node gets which train (plane.py), or how photons meet detectors (optics/detection.py, optics/counting.py,
optics/interception.py).

Theory of operation. A reception begins with the train's first light and takes its blocks in order, each
with one operation of the node: the operation of the next block is issued when the result of the last one
has come. A block of lazy settings may be much longer than others: it is taken in pieces, each as long as the
node asks for and as what it holds allows, so that memory follows clicks, however bright it becomes. A node
that sends a train on sends each block as it has come, so that slot i leaves when it arrived.

Rules. A block is taken once, by the only reception of its train; what is sent on was prepared anew or is what
was not stored. A reception draws from its own stream, once, at its beginning. It ends with the train, with an
operation that wants no more, when the operation is withdrawn, when the node dies, or when it lets blocks
pile up; what comes after that is lost. The last result comes a dead time later: only then is the detector
ready again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...devices.detectors import Detector
from ...errors import InputError, InternalError, OperationError
from ...faults.changes import NodeChanges
from ...kernel.ports import OPERATION, Clock
from ...optics.blinding import is_blinding
from ...optics.counting import ClickCounter, CountedLight
from ...optics.detection import Clicks, PulseReceiver, Receiver, Trouble
from ...optics.dispersion import overlap_ps
from ...optics.interception import InterceptResend, Splitter, divided
from ...optics.pair_counting import CountedArm, seen_arm
from ...optics.pulses import CHUNK_SLOTS, EFFECTS, STATES, Floats, Layer, PulseTrain, Substreams
from ...topology.model.pulse_sections import MOST_COUNTS, DetectorSpec
from ...wire import (
    BLOCK_SLOTS,
    Clicked,
    CountClicks,
    Counted,
    Detect,
    Intercept,
    Kept,
    Operation,
    Split,
    place_type,
)
from ...wire.bit_planes import packed, packed_size, planes_for, unpacked
from ...wire.hashed_settings import BASES, HashedColumn
from ..fault_history import FaultHistory
from ..node.node_devices import NodeDevices, Pending
from .counted_arms import CountedArms
from .settings import bases_of, check_axes, check_lazy, check_shares
from .stored_photons import StoredPhotons
from .trains import Block, Train

#: What an eavesdropper measures with unless its node says otherwise: nothing stops her.
IDEAL = DetectorSpec()
#: Bases that a beam splitter chooses from.
PASSIVE_BASES = 2
#: Blocks that may wait for the node's next operation, which follows at once unless its program broke.
MOST_WAITING = 2
#: Photons and counts that a piece of a long block may hold on average; it is one chunk.
PIECE_EVENTS = 1 << 18
#: (pending, value, refusal=None) when an operation of a train has ended.
Give = Callable[..., None]


#: The operations that take a train.
Taking = Detect | CountClicks | Intercept | Split
#: What they end with.
Taken = Clicked | Counted | Kept


class Receiving(Pending):
    """An operation that waits for a train, or for its next block."""

    __slots__ = ("reception",)

    operation: Taking

    def __init__(self, devices: NodeDevices, operation: Operation) -> None:
        super().__init__(devices, operation)
        self.reception: TrainReception | None = None

    def waits_for(self) -> str:
        """For people."""
        what = f"pulses from {self.operation.source}"
        return what if self.reception is None else f"{what}: block {self.reception.blocks + 1}"


class TrainReception:
    """A node at work on a train; `kind` says what it does with each block."""

    def __init__(
        self, train: Train, kind: ReceiverKind, clock: Clock, give: Give, dead_ns: int
    ) -> None:
        self.train, self.kind = train, kind
        #: Slots and blocks taken so far.
        self.slots = self.blocks = 0
        self._clock, self._give, self._dead_ns = clock, give, dead_ns
        self._pending: Receiving | None = None
        self._arrived: deque[Block] = deque()
        self._closed = False

    def ask(self, pending: Receiving) -> None:
        """The node is ready for the next block. Raises OperationError if it means another one."""
        first = pending.operation.first
        if first != self.slots or self._pending is not None:
            raise OperationError(
                why=f"the train is at slot {self.slots}, {first} was asked for: blocks come in order"
            )
        self._pending, pending.reception = pending, self
        if self._arrived:
            order = (pending.devices.name, OPERATION, pending.number)
            pending.entry = self._clock.at(self._clock.now_ns, order, self._take_next)

    def block(self, block: Block) -> None:
        """The last slot of a block has arrived."""
        if self._closed:
            return
        self._arrived.append(block)
        self._take_next()
        if len(self._arrived) > MOST_WAITING:
            self.close()

    def close(self) -> None:
        """The train is not taken any more; what is sent on of it ends."""
        self._closed = True
        self.train.reception = None
        self._arrived.clear()
        self.kind.stop(self._clock.now_ns)

    def _take_next(self) -> None:
        pending = self._pending
        if pending is None or not self._arrived or self._closed:
            return
        block, operation = self._arrived.popleft(), pending.operation
        if block.slots > BLOCK_SLOTS and self.train.long:
            size = self._piece(block, operation)
            if size < block.slots:
                block, rest = block.cut(size)
                self._arrived.appendleft(rest)
        self._pending = None
        self.slots, self.blocks = self.slots + block.slots, self.blocks + 1
        over = block.last or not _wants_more(operation, block)
        value = self.kind.take(operation, block, self._light(block), over)
        if not over:
            self._end(pending, value)
            return
        self.close()
        order = (pending.devices.name, OPERATION, pending.number)
        due_ns = self._clock.now_ns + self._dead_ns
        pending.entry = self._clock.at(due_ns, order, lambda: self._end(pending, value))

    def _piece(self, block: Block, operation: Operation) -> int:
        """How many slots of a long block are taken at once: whole chunks, or what is left."""
        assert isinstance(operation, Detect), "long blocks go to no eavesdropper"
        best = float(self.train.channel(block, count=False).etas.max(initial=0.0))
        events = self.kind.events_per_slot(block, best * block.brightness)
        fit = int(PIECE_EVENTS / events) if events * block.slots > PIECE_EVENTS else block.slots
        slots = min(max(fit, BLOCK_SLOTS), operation.slots)
        return min(-(-slots // CHUNK_SLOTS) * CHUNK_SLOTS, block.slots)

    def _light(self, block: Block) -> list[PulseTrain]:
        """The block's layers as they arrive."""
        if not block.slots:
            return []
        met = self.train.channel(block)
        return [layer.through(met) for layer in block.light(block)]

    def _end(self, pending: Receiving, value: Taken) -> None:
        del pending.devices.pending[pending.number]
        self._give(pending, value)


class ReceiverKind:
    """What a node does with the blocks of a train. `take` spends the layers and answers with the result."""

    onward: Train | None = None

    def __init__(self, train: Train) -> None:
        self.train = train

    def take(self, operation: Any, block: Block, layers: list[PulseTrain], over: bool) -> Taken:
        """A block has come."""
        raise NotImplementedError

    def events_per_slot(self, block: Block, photons: float) -> float:
        """Photons that come in a slot of the block at the most, on average, and the detectors' own counts."""
        del block
        return photons

    def stop(self, now_ns: int) -> None:
        """No block comes any more."""
        if self.onward is not None:
            self.onward.stop(now_ns)

    def _send_on(self, block: Block, layers: list[PulseTrain], over: bool) -> None:
        """What is sent on of a block leaves as it has come; its end stands where the block's did."""
        if self.onward is not None:
            end_ns = self.train.link.now_ns
            self.onward.send(block.slots, end_ns, over, lambda _: layers)

    def _clicked(
        self,
        clicks: Clicks | None,
        operation: Detect | Intercept,
        block: Block,
        over: bool,
        bright: bool = False,
    ) -> Clicked:
        """The result: clicks of slots that were asked for. `bright`: in bright light."""
        train = self.train
        if clicks is None:
            return Clicked(train.arrives_ns, train.period_ps, 0, over, 0, b"", b"", b"", b"")
        at = clicks.slots - block.first
        if operation.slots < block.slots:
            wanted = at < operation.slots
            at, clicks = at[wanted], clicks.those(wanted)
        slots = min(block.slots, operation.slots)
        return Clicked(
            train.arrives_ns,
            train.period_ps,
            slots,
            over,
            len(at),
            at.astype(place_type(slots)).tobytes(),
            packed(clicks.bases, planes_for(bases_of(operation.axes))),
            packed(clicks.bits),
            packed(clicks.doubles),
            slots if bright else 0,
        )


class PulseDetector(ReceiverKind):
    """Detects everything. `count_bright` is called with how many slots came in bright light."""

    def __init__(
        self,
        train: Train,
        receiver: Receiver,
        rng: np.random.Generator,
        history: FaultHistory[NodeChanges],
        count_bright: Callable[[int], None],
        effects: Floats = EFFECTS,
    ) -> None:
        super().__init__(train)
        self._history, self._count_bright = history, count_bright
        self._receiver = PulseReceiver(receiver, train.period_ps, rng, effects)
        self._background = float(receiver.background(train.period_ps).sum())
        self._counters = len(receiver.all_detectors)

    def events_per_slot(self, block: Block, photons: float) -> float:
        slot_s = self.train.period_ps * 1e-12
        troubles = troubles_of(self.train, block, self._history, count=False)
        darks = max((trouble.dark_count_rate_hz for trouble in troubles), default=0.0)
        sky = max((trouble.noise_rate_hz for trouble in troubles), default=0.0)
        return photons + self._background + (darks * self._counters + sky) * slot_s

    def take(
        self, operation: Detect, block: Block, layers: list[PulseTrain], over: bool
    ) -> Clicked:
        if not layers:
            return self._clicked(None, operation, block, over)
        chosen = chosen_bases(operation, block)
        troubles = troubles_of(self.train, block, self._history)
        bright = _any_bright(layers)
        clicks = self._receiver.detect(layers[0], chosen, layers[1:], troubles)
        found = self._clicked(clicks, operation, block, over, bright)
        if found.bright:
            self._count_bright(found.bright)
        return found


#: By setting and bases, as `wire.Counted` has them.
Counts = list[list[list[int]]]


class TrainCounter(ReceiverKind):
    """Takes a whole train of which only numbers are asked."""

    def __init__(self, train: Train, history: FaultHistory[NodeChanges]) -> None:
        super().__init__(train)
        self._history = history

    def take(
        self, operation: CountClicks, block: Block, layers: list[PulseTrain], over: bool
    ) -> Counted:
        train = self.train
        clicks: Counts = []
        errors: Counts = []
        arm = ""
        if layers:
            (layer,) = layers
            troubles = troubles_of(train, block, self._history)
            clicks, errors, arm = self._counted(layer.take_layer(), troubles)
        times = train.arrives_ns, train.period_ps, block.slots
        return Counted(*times, clicks, errors, train.secret or b"", arm)

    def _counted(self, light: Layer, troubles: Sequence[Trouble]) -> tuple[Counts, Counts, str]:
        """Clicks and errors; of an arm of pairs its name."""
        raise NotImplementedError


class PulseCounter(TrainCounter):
    """Counts the clicks of a whole train."""

    def __init__(
        self, train: Train, counter: ClickCounter, history: FaultHistory[NodeChanges]
    ) -> None:
        super().__init__(train, history)
        self._counter = counter

    def _counted(self, light: Layer, troubles: Sequence[Trouble]) -> tuple[Counts, Counts, str]:
        if not isinstance(light, CountedLight):
            raise InternalError(f"light that cannot be counted: {type(light).__name__}")
        found = self._counter.count(light, troubles)
        return found.clicks.tolist(), found.errors.tolist(), ""


class ArmCounter(TrainCounter):
    """Takes a whole arm of pairs; its clicks are counted with those of the other one (counted_arms.py)."""

    def __init__(
        self,
        train: Train,
        receiver: Receiver,
        shares: list[float] | None,
        effects: Floats,
        history: FaultHistory[NodeChanges],
        arms: CountedArms,
    ) -> None:
        super().__init__(train, history)
        self._receiver, self._shares, self._effects = receiver, shares, effects
        self._arms = arms

    def _counted(self, light: Layer, troubles: Sequence[Trouble]) -> tuple[Counts, Counts, str]:
        if not isinstance(light, CountedArm):
            raise InternalError(f"light that is no counted arm: {type(light).__name__}")
        seen = seen_arm(light, self._receiver, self._shares, self._effects, troubles)
        return [], [], self._arms.new(self.train.to, seen)


class Interceptor(ReceiverKind):
    """Measures a share of the slots, and sends on what it saw beside what it let pass."""

    def __init__(
        self,
        train: Train,
        onward: Train | None,
        receiver: Receiver,
        fraction: float,
        rng: np.random.Generator,
        history: FaultHistory[NodeChanges],
        states: Floats = STATES,
        faked: bool = False,
    ) -> None:
        super().__init__(train)
        self.onward, self._fraction, self._history = onward, fraction, history
        self._resend = InterceptResend(receiver, train.period_ps, rng, states=states, faked=faked)
        self._streams = Substreams(rng)

    def take(
        self, operation: Intercept, block: Block, layers: list[PulseTrain], over: bool
    ) -> Clicked:
        if not layers:
            self._send_on(block, [], over)
            return self._clicked(None, operation, block, over)
        where, bright = self._taken(block), _any_bright(layers)
        passing: list[PulseTrain] = []
        if where is not None:
            pairs = [divided(layer, where) for layer in layers]
            layers, passing = [here for here, _ in pairs], [there for _, there in pairs]
        chosen = chosen_bases(operation, block)
        troubles = troubles_of(self.train, block, self._history)
        resent, clicks = self._resend.seize(layers[0], chosen, layers[1:], where, troubles)
        if operation.shifts is not None:
            late = _padded(unpacked(operation.shifts, operation.slots), block.slots).astype(bool)
            passing = [each.shifted(late) for each in passing]
        self._send_on(block, [resent, *passing], over)
        return self._clicked(clicks, operation, block, over, bright)

    def _taken(self, block: Block) -> np.ndarray | None:
        """Which slots are measured, drawn per chunk; None: all."""
        if self._fraction == 1:
            return None
        first = block.first // CHUNK_SLOTS
        chunks = [
            self._streams.of(first + index).random(min(CHUNK_SLOTS, block.slots - at))
            for index, at in enumerate(range(0, block.slots, CHUNK_SLOTS))
        ]
        return np.concatenate(chunks) < self._fraction


class PulseSplitter(ReceiverKind):
    """Takes photons out of pulses, stores some, and sends on the rest."""

    def __init__(
        self,
        train: Train,
        onward: Train | None,
        stored: StoredPhotons,
        splitter: Splitter,
    ) -> None:
        super().__init__(train)
        self.onward, self._stored, self._splitter = onward, stored, splitter

    def take(self, operation: Split, block: Block, layers: list[PulseTrain], over: bool) -> Kept:
        pairs = [self._splitter.split(layer) for layer in layers]
        self._send_on(block, [rest for rest, _ in pairs], over)
        at = self._stored.add([stored for _, stored in pairs]) - block.first
        train, count = self.train, len(at)
        raw = at.astype("<u4").tobytes()
        return Kept(
            self._stored.name, train.arrives_ns, train.period_ps, block.slots, over, count, raw
        )


def _any_bright(layers: list[PulseTrain]) -> bool:
    return any(is_blinding(each.layer) for each in layers)


def troubles_of(
    train: Train, block: Block, history: FaultHistory[NodeChanges], count: bool = True
) -> list[Trouble]:
    """What faults did to a node's detectors while the block's slots arrived, and a sky that changes.

    `count`: they count the slots that they have hit.
    """
    begins_ns = train.comes_ns(train.leaves_ns(block.first))
    ends_ns = train.comes_ns(train.leaves_ns(block.first + block.slots) + 1)
    found = []
    for interval in history.between(begins_ns, ends_ns):
        changes, until_ns = interval.changes, interval.until_ns
        first = max(block.first, train.slot_at(train.left_ns(interval.since_ns)))
        end = block.first + block.slots
        if until_ns is not None:
            end = min(end, train.slot_at(train.left_ns(until_ns)))
        if first < end and changes.on_detectors:
            if count:
                interval.count_hits(_on_detectors, end - first)
            found.append(Trouble(first, end, changes.dark_count_rate_hz, changes.blind))
    return found + train.link.light_of_sky(train, block.first, block.first + block.slots)


def _on_detectors(changes: NodeChanges) -> bool:
    return changes.on_detectors


def chosen_bases(operation: Detect | Intercept, block: Block) -> np.ndarray | HashedColumn | None:
    """The bases for a block: what was not asked for is measured in basis 0, and not reported."""
    slots = block.slots
    if isinstance(operation, Detect) and operation.lazy is not None:
        lazy = operation.lazy
        return HashedColumn(lazy.key, BASES, lazy.bases, block.first, slots)
    if operation.bases is None:
        return None
    planes = planes_for(bases_of(operation.axes))
    chosen = unpacked(operation.bases, operation.slots, planes)
    return _padded(chosen, slots)


def _padded(column: np.ndarray, slots: int) -> np.ndarray:
    """A column as long as the block, with zeros for what was not asked for."""
    return column[:slots] if len(column) >= slots else np.pad(column, (0, slots - len(column)))


def _wants_more(operation: Operation, block: Block) -> bool:
    assert isinstance(operation, (Detect, Intercept, Split)), "a counted train is one block"
    return operation.more or block.slots < operation.slots


def check_columns(operation: Taking, passive: bool) -> None:
    """Raises OperationError for bases that do not fit the operation or the kind of receiver."""
    if isinstance(operation, Split):
        return
    check_axes(operation.axes)
    kinds = bases_of(operation.axes)
    if isinstance(operation, CountClicks):
        _check_choice(operation.bases is not None, passive, kinds)
        if operation.bases is not None:
            check_shares("bases", operation.bases, kinds)
        return
    lazy = operation.lazy if isinstance(operation, Detect) else None
    shifts = operation.shifts if isinstance(operation, Intercept) else None
    if shifts is not None and len(shifts) != packed_size(operation.slots):
        raise OperationError(why=f"{len(shifts)} bytes of shifts for {operation.slots} slots")
    _check_choice(operation.bases is not None or lazy is not None, passive, kinds)
    if lazy is not None:
        check_lazy(lazy, kinds)
    if operation.bases is None:
        return
    planes = planes_for(kinds)
    if len(operation.bases) != packed_size(operation.slots, planes):
        raise OperationError(
            why=f"{len(operation.bases)} bytes of bases for {operation.slots} slots"
        )
    if (
        kinds & (kinds - 1)
        and int(unpacked(operation.bases, operation.slots, planes).max()) >= kinds
    ):
        raise OperationError(why=f"a basis that is none of {kinds}")


def _check_choice(chosen: bool, passive: bool, kinds: int) -> None:
    if not chosen and not passive:
        raise OperationError(why="the node chooses the basis of each slot: bases are missing")
    if chosen and passive:
        raise OperationError(why="a beam splitter chooses the bases here: expected none")
    if passive and kinds != PASSIVE_BASES:
        raise OperationError(why=f"{kinds} axes behind a beam splitter for {PASSIVE_BASES} bases")


# --- what a node receives with ----------------------------------------------------------------------


def receiver(
    spec: DetectorSpec,
    period_ps: int,
    noise_rate_hz: float,
    link_gate_ps: float | None = None,
    most_more_hz: float = 0.0,
) -> Receiver:
    """The node's receiver for slots of `period_ps`.

    `noise_rate_hz` counts photons that come out of the fibre besides the signal (Raman light): those that
    pass the link's gate, if there is one, and meet an open gate of the detectors. `most_more_hz`: the most
    that will come on top of them. Raises OperationError for
    a detector's gate that is longer than a slot, and for more noise than MOST_COUNTS.
    """
    detector = Detector(
        efficiency=spec.efficiency,
        dark_count_rate_hz=spec.dark_count_rate_hz,
        dead_time_ps=round(spec.dead_time_ps),
        paralysable=spec.paralysable,
        afterpulse_probability=spec.afterpulse_probability,
        afterpulse_decay_ps=spec.afterpulse_decay_ps,
        jitter_fwhm_ps=spec.jitter_fwhm_ps,
        gate_ps=None if spec.gate_ps is None else max(1, round(spec.gate_ps)),
    )
    try:
        open_ps: float = detector.open_ps(period_ps)
    except InputError as error:
        raise OperationError(why=str(error)) from error
    if link_gate_ps is not None and link_gate_ps < period_ps:
        open_ps = overlap_ps(link_gate_ps, open_ps, detector.jitter_sigma_ps(), period_ps)
    noise_photons = noise_rate_hz * open_ps * 1e-12
    splitting = None if spec.splitting is None else tuple(spec.splitting)
    found = Receiver(detector, spec.transmittance, noise_photons, splitting, spec.mismatch, open_ps)
    most = found.background(period_ps)
    if most_more_hz:
        most = most + found.more_background(Trouble(0, 0, noise_rate_hz=most_more_hz), period_ps)
    counts = float(most.max())
    if counts > MOST_COUNTS:
        raise OperationError(
            why=f"{counts:.3g} noise counts in each slot of a detector: expected at most {MOST_COUNTS}"
        )
    return found
