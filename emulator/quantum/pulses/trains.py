"""Pulse trains in flight: which slots have left, what the link does to them, when blocks arrive.

Owns a link as pulses see it (`PulseLink`: its channel over time, its cuts), the trains on it, and which links
lead where (`PulseRoutes`). Does not own what a node does with a train (reception.py, plane.py), what fibres
and free space do (optics/) or the photons (optics/pulses.py).

Theory of operation. A train begins at a whole ns; slot i leaves at i periods from there, in ps. It travels in
blocks: one event when its first light arrives (the node that listens then gets the train), and one for each
block, when the last slot of that block has arrived. A fibre's delay is that of the train's beginning: senders
and receivers follow slow drifts of it. In free space a block ends when the light of its end comes, which ends
that move make earlier or later; receivers know slots by their number there too.

Rules. A slot meets the channel of the time at which it leaves, with what faults do to it. It is dark if its
source is off then, or if the link is cut when it leaves or at any time of its flight: then no photon comes,
and the receiver's own counts remain. A sender that stops, or dies, has sent the slots that had left by then.
A direct link goes before a route past eavesdroppers; of several routes none is taken unless it is named.
Nothing here draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LinkError
from ...faults.changes import NOTHING, Changes, NodeChanges
from ...kernel.ports import PULSES, Entry, Surroundings
from ...optics.detection import Trouble
from ...optics.fibre import Fibre, FibreLink
from ...optics.free_space import FreeSpaceLink, Sky
from ...optics.pulses import NO_CHANNEL, PulseChannel, PulseTrain, pulse_channel
from ...topology.model.topology import NodeSpec
from ...wire import BLOCK_SLOTS
from ..fault_history import FaultHistories, FaultHistory
from ..links.channels import FaultedChannel, LightChannel, LinksByEnds

if TYPE_CHECKING:
    from .reception import TrainReception

PS = 1000


class Block:
    """Consecutive slots of a train. `light` makes their light, in layers, once they have arrived.

    `brightness`: the most photons that a slot holds on average where it is sent; what a block longer than
    others is cut by.
    """

    __slots__ = ("brightness", "end_ns", "first", "last", "light", "slots")

    def __init__(
        self,
        first: int,
        slots: int,
        end_ns: int,
        last: bool,
        light: Callable[[Block], list[PulseTrain]],
        brightness: float = 0.0,
    ) -> None:
        self.first, self.slots, self.end_ns, self.last = first, slots, end_ns, last
        self.light, self.brightness = light, brightness

    def cut(self, slots: int) -> tuple[Block, Block]:
        """Its first `slots`, and the rest."""
        start = Block(self.first, slots, self.end_ns, False, self.light, self.brightness)
        rest = Block(
            self.first + slots,
            self.slots - slots,
            self.end_ns,
            self.last,
            self.light,
            self.brightness,
        )
        return start, rest


class Train:
    """One train on one link. `origin` sent it first: `source` itself, or where an eavesdropper got it from.

    `reception` takes it at the other end, from its first light on; None: it is lost. `entrance` is the end at
    which it enters the link; None: it comes to an eavesdropper there, and crosses nothing.
    """

    def __init__(
        self,
        link: PulseLink,
        number: int,
        source: str,
        to: str,
        origin: str,
        start_ns: int,
        period_ps: int,
        entrance: str | None,
    ) -> None:
        self.link, self.number, self.source, self.origin = link, number, source, origin
        self.start_ns, self.period_ps = start_ns, period_ps
        self.to, self.entrance = to, entrance
        #: Whether photons in it are entangled with some that are elsewhere.
        self.entangled = False
        #: Whether its blocks are longer than others, which only a node that detects takes.
        self.long = False
        #: Whether its light comes in slots; else at any time, and slots only count that.
        self.clocked = True
        #: Of a train that is only counted: random bytes for both its ends. None: it has slots.
        self.secret: bytes | None = None
        self.reception: TrainReception | None = None
        #: Slots sent so far, and when the latest of them had left.
        self.slots, self.end_ns = 0, start_ns
        self.over = False
        self._latest: Block | None = None

    @property
    def arrives_ns(self) -> int:
        """When slot 0 reaches the other end."""
        return self.comes_ns(self.start_ns)

    def comes_ns(self, t_ns: int) -> int:
        """When light reaches the other end that leaves at `t_ns`: never before what has left earlier."""
        if self.entrance is None:
            return t_ns
        return t_ns + self.link.faulted.channel.train_delay_ns(self.start_ns, t_ns, self.entrance)

    def left_ns(self, t_ns: int) -> int:
        """When light has left that reaches the other end at `t_ns`."""
        found = t_ns
        for _ in range(3):  # each step is better by the speed of the ends by light's
            found += t_ns - self.comes_ns(found)
        return found

    def slot_at(self, t_ns: int) -> int:
        """The first slot that leaves at `t_ns` or later, of a train without beginning and end."""
        return -(-(t_ns - self.start_ns) * PS // self.period_ps)

    def leaves_ns(self, slot: int) -> int:
        """When the slot leaves, rounded down."""
        return self.start_ns + slot * self.period_ps // PS

    def ends_ns(self, slots: int) -> int:
        """When `slots` more slots will have left: a whole ns, and later than those before them."""
        end_ps = (self.slots + slots) * self.period_ps
        return max(self.start_ns - (-end_ps // PS), self.end_ns + 1)

    def send(
        self,
        slots: int,
        end_ns: int,
        last: bool,
        light: Callable[[Block], list[PulseTrain]],
        brightness: float = 0.0,
    ) -> None:
        """The next block leaves; its last slot leaves at `end_ns`."""
        block = Block(self.slots, slots, end_ns, last, light, brightness)
        self.long = self.long or (slots > BLOCK_SLOTS and self.secret is None)
        self._latest, self.slots, self.end_ns, self.over = block, self.slots + slots, end_ns, last
        self.link.at(self, self.comes_ns(end_ns), partial(self._arrive, block))

    def stop(self, now_ns: int) -> None:
        """The sender sends nothing more; what had left by `now_ns` arrives."""
        over, self.over, latest = self.over, True, self._latest
        if latest is not None and latest.end_ns > now_ns:
            left = self.slot_at(now_ns) - latest.first
            latest.slots, latest.last = min(max(left, 0), latest.slots), True
            return
        if over:
            return
        block = Block(self.slots, 0, self.end_ns, True, lambda _: [])
        over_ns = self.comes_ns(max(now_ns, self.end_ns))
        self.link.at(self, over_ns, partial(self._arrive, block))

    def channel(self, block: Block, count: bool = True) -> PulseChannel:
        """What the channel does to the block's slots, drifts and cuts included.

        `count`: the faults among them count the slots that they have hit.
        """
        return self.link.channel(self, block.first, block.first + block.slots, count)

    def _arrive(self, block: Block) -> None:
        if self.reception is not None:
            self.reception.block(block)

    def __repr__(self) -> str:
        return (
            f"<Train {self.number} {self.source}>{self.to}: {self.slots} slots, over {self.over}>"
        )


class PulseLink:
    """One link for pulse trains, both ways. `on_first_light(train)` is called for each train.

    `nodes`: what faults change about each node, whose source may be off.
    """

    def __init__(
        self,
        name: str,
        ends: tuple[str, str],
        faulted: FaultedChannel,
        nodes: Mapping[str, FaultHistory[NodeChanges]],
        around: Surroundings,
        on_first_light: Callable[[Train], None],
    ) -> None:
        self.name, self.ends, self.faulted, self._nodes = name, ends, faulted, nodes
        self._clock, self._journal, self._metrics = around.clock, around.journal, around.metrics
        self._on_first_light = on_first_light
        #: The node that stands on the link and takes what its ends send; "" for none.
        self.eavesdropper = ""
        self._trains = self._events = self._cuts = 0
        #: When it was cut, and healed again (None: not yet).
        self._dark: list[tuple[int, int | None]] = []

    @property
    def now_ns(self) -> int:
        return self._clock.now_ns

    def other_end(self, node: str) -> str:
        return self.ends[1] if node == self.ends[0] else self.ends[0]

    def open(
        self, source: str, origin: str, start_ns: int, period_ps: int, to: str | None = None
    ) -> Train:
        """A train whose slot 0 leaves `source` at `start_ns`, for `to` (the other end).

        While an eavesdropper stands on the link, what an end sends comes to her.
        """
        self._trains += 1
        to = self.other_end(source) if to is None else to
        entrance: str | None = source if source in self.ends else self.other_end(to)
        if self.eavesdropper and source != self.eavesdropper:
            to, entrance = self.eavesdropper, None
        train = Train(self, self._trains, source, to, origin, start_ns, period_ps, entrance)
        self._journal.event(self.name, "train", train.number, source, train.to, start_ns, period_ps)
        self._metrics.count(f"links.{self.name}.trains")
        self.at(train, train.arrives_ns, partial(self._on_first_light, train))
        return train

    def at(self, train: Train, t_ns: int, action: Callable[[], None]) -> Entry:
        """An event of a train: by link, then in the order in which they were planned."""
        self._events += 1
        return self._clock.at(t_ns, (self.name, PULSES, self._events), action)

    def cut(self) -> None:
        """Dark from now on. Cuts nest."""
        if not self._cuts:
            self._dark.append((self._clock.now_ns, None))
        self._cuts += 1

    def heal(self) -> None:
        """One cut less."""
        self._cuts -= 1
        if not self._cuts:
            self._dark[-1] = (self._dark[-1][0], self._clock.now_ns)

    def noise_rate_hz(self, train: Train) -> float:
        """Photons of classical channels, or of a sky that stays, that come out with the train."""
        if train.entrance is None or self._sky(train) is not None:
            return 0.0
        reverse = train.entrance != self.ends[0]
        return self.faulted.channel.medium.at(train.start_ns, reverse).noise_rate_hz

    def most_sky_hz(self, train: Train) -> float:
        """The most photons per second that ever come from a sky that changes."""
        sky = self._sky(train)
        return 0.0 if sky is None else sky.brightest_hz

    def light_of_sky(self, train: Train, first: int, end: int) -> list[Trouble]:
        """Of a sky that changes: what comes with the slots from `first` to before `end`."""
        sky = self._sky(train)
        found: list[Trouble] = []
        slot = first
        while sky is not None and slot < end:
            rate_hz, until_ns = sky.at(train.comes_ns(train.leaves_ns(slot)))
            after = min(end, max(slot + 1, train.slot_at(train.left_ns(until_ns))))
            if rate_hz:
                found.append(Trouble(slot, after, noise_rate_hz=rate_hz))
            slot = after
        return found

    def _sky(self, train: Train) -> Sky | None:
        medium = self.faulted.channel.medium
        if train.entrance is None or not isinstance(medium, FreeSpaceLink):
            return None
        return medium.sky

    def gate_ps(self, train: Train) -> float | None:
        """Full width of the gate through which the train comes out of the link; None: without one."""
        return None if train.entrance is None else self.faulted.channel.gate_ps

    def channel(self, train: Train, first: int, end: int, count: bool = True) -> PulseChannel:
        """What the slots from `first` to before `end` of a train meet; `count` as for `Train.channel`."""
        starts, steps, maps, spread_ps = self._steps(train, first, end, count)
        etas, noise = np.array(steps), np.array(maps)
        dark = self._dark_slots(train, first, end, count)
        if train.entrance is None and not dark:
            return NO_CHANNEL
        if dark:
            marks = {0, *(slot for window in dark for slot in window), *starts}
            grid = np.array(sorted(mark for mark in marks if mark < end))
            cells = np.searchsorted(starts, grid, side="right") - 1
            etas, noise, starts = etas[cells], noise[cells], grid.tolist()
            for low, high in dark:
                etas[(grid >= low) & (grid < high)] = 0.0
        return pulse_channel(
            etas, noise, starts=starts, spread_ps=spread_ps, gate_ps=self.gate_ps(train)
        )

    def _steps(
        self, train: Train, first: int, end: int, count: bool
    ) -> tuple[list[int], list[float], list[np.ndarray], float]:
        """Cells of the environment, cut by faults: from slot starts[i] on, etas[i] and maps[i]."""
        if train.entrance is None:
            return [0], [1.0], [np.eye(4)], 0.0
        reverse = train.entrance != self.ends[0]
        starts: list[int] = []
        etas: list[float] = []
        maps: list[np.ndarray] = []
        slot, spread_ps = first, 0.0
        while slot < max(end, first + 1):
            t_ns = train.leaves_ns(slot)
            channel, interval = self.faulted.at(t_ns)
            here, noise = channel.medium.at(t_ns, reverse), channel.at(t_ns, train.entrance).noise
            spread_ps = here.spread_ps
            ends_ns = [t for t in (here.valid_until_ns, interval.until_ns) if t is not None]
            after = train.slot_at(min(ends_ns)) if ends_ns else end
            after = max(slot + 1, after)
            faded = _faded(train, channel.medium, here.transmittance, slot, min(after, end))
            starts += [start if starts or at else 0 for at, (start, _) in enumerate(faded)]
            etas += [eta for _, eta in faded]
            maps += [np.eye(4) if noise is None else noise] * len(faded)
            if count:
                interval.count_hits(_on_light, max(0, min(after, end) - slot))
            slot = after
        return starts, etas, maps, spread_ps

    def _dark_slots(self, train: Train, first: int, end: int, count: bool) -> list[tuple[int, int]]:
        """Stretches of slots from `first` to before `end` that a cut or a source that is off leaves dark."""
        cuts = [] if train.entrance is None else self._dark
        windows_ns = [(train.left_ns(cut_ns), heal_ns) for cut_ns, heal_ns in cuts]
        found = [_slots_of(train, *window_ns, first, end) for window_ns in windows_ns]
        if train.origin == train.source:
            begins_ns, ends_ns = train.leaves_ns(first), train.leaves_ns(end)
            for interval in self._nodes[train.source].between(begins_ns, ends_ns):
                if interval.changes.source_off:
                    low, high = _slots_of(train, interval.since_ns, interval.until_ns, first, end)
                    if count:
                        interval.count_hits(_source_off, max(0, high - low))
                    found.append((low, high))
        return [(low, high) for low, high in found if low < high]

    def __repr__(self) -> str:
        return f"<PulseLink {self.name}: {self._trains} trains, {self._cuts} cuts>"


def _faded(
    train: Train, medium: FibreLink | FreeSpaceLink, eta: float, slot: int, end: int
) -> list[tuple[int, float]]:
    """Steps of slots that have one mean transmittance: from which slot on, and what comes through.

    A train that is counted has one step, faded as much as its blocks are on average.
    """
    if not isinstance(medium, FreeSpaceLink) or medium.fading is None or not eta or slot >= end:
        return [(slot, eta)]
    from_ns, until_ns = train.leaves_ns(slot), max(train.leaves_ns(end), train.leaves_ns(slot) + 1)
    reverse = train.entrance != train.link.ends[0]
    faded = np.minimum(eta * medium.fades(from_ns, until_ns, reverse), 1.0)
    if train.secret is not None:
        return [(slot, float(faded.mean()))]
    block_ns = medium.fading.correlation_ns
    first = from_ns // block_ns
    begins = [slot, *(train.slot_at((first + i) * block_ns) for i in range(1, len(faded)))]
    steps = dict(
        zip(begins, faded.tolist(), strict=True)
    )  # of blocks shorter than a slot, the last
    return [(begin, value) for begin, value in steps.items() if begin < end]


def _slots_of(
    train: Train, from_ns: int, until_ns: int | None, first: int, end: int
) -> tuple[int, int]:
    """The slots of those from `first` to before `end` that leave from `from_ns` to before `until_ns`."""
    high = end if until_ns is None else min(end, train.slot_at(until_ns))
    return max(first, train.slot_at(from_ns)), high


def _on_light(changes: Changes) -> bool:
    return changes.on_light


def _source_off(changes: NodeChanges) -> bool:
    return changes.source_off


# --- which link leads where ---------------------------------------------------------------------


class PulseRoutes:
    """Links for trains by where they lead: between two nodes, past eavesdroppers, to a node's own detectors.

    `on_first_light(train)` is called for each train on any of them.
    """

    def __init__(
        self,
        nodes: Mapping[str, NodeSpec],
        around: Surroundings,
        fault_histories: FaultHistories,
        on_first_light: Callable[[Train], None],
    ) -> None:
        self._nodes, self._around = nodes, around
        self._fault_histories, self._on_first_light = fault_histories, on_first_light
        self._between: LinksByEnds[PulseLink] = LinksByEnds("carries photons")
        #: The links, by name.
        self.by_name = self._between.by_name
        self._own: dict[str, PulseLink] = {}

    def connect(self, name: str, ends: tuple[str, str], faulted: FaultedChannel) -> None:
        """The link carries trains."""
        self._between.add(name, ends, self._link(name, ends, faulted))

    def choose(self, node: str, peer: str, link: str | None) -> PulseLink:
        """The first link from `node` to `peer`: a direct one, or one that leads past eavesdroppers.

        From a node to itself it is no link: no channel, and no time. Raises LinkError.
        """
        if node == peer and link is None:
            return self._own_link(node)
        try:
            return self._between.choose(node, peer, link)
        except LinkError:
            tapped = self._tapped(node, peer, link)
            if tapped is not None:
                return tapped
            found = self._past_eavesdroppers(node, peer)
            if link is not None or len(found) != 1:
                raise
            return found[0]

    def _tapped(self, node: str, peer: str, link: str | None) -> PulseLink | None:
        """A link that leads to `peer` and on which `node` stands as an eavesdropper."""
        for found in self.by_name.values():
            if found.eavesdropper == node and peer in found.ends and link in (None, found.name):
                return found
        return None

    def _own_link(self, node: str) -> PulseLink:
        link = self._own.get(node)
        if link is None:
            channel = LightChannel(FibreLink(Fibre(0.0)), node)
            nothing = FaultedChannel(channel, FaultHistory(NOTHING, self._around.clock))
            # no link can be called that
            link = self._own[node] = self._link(f"{node}>{node}", (node, node), nothing)
        return link

    def _link(self, name: str, ends: tuple[str, str], faulted: FaultedChannel) -> PulseLink:
        nodes = self._fault_histories.nodes
        return PulseLink(name, ends, faulted, nodes, self._around, self._on_first_light)

    def _past_eavesdroppers(self, node: str, peer: str) -> list[PulseLink]:
        """The links of `node` that lead to `peer` with eavesdroppers, and no others, between."""
        found = []
        for link in self.by_name.values():
            if node in link.ends and self._leads(link.other_end(node), peer, {node}):
                found.append(link)
        return found

    def _leads(self, here: str, peer: str, seen: set[str]) -> bool:
        if here == peer:
            return True
        if here in seen or here not in self._nodes or self._nodes[here].kind != "eavesdropper":
            return False
        links = [link for link in self.by_name.values() if here in link.ends]
        return any(self._leads(link.other_end(here), peer, seen | {here}) for link in links)
