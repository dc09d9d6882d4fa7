"""Circuits at a node: set up, refused, refreshed and torn down by messages, and the slots they reserve.

Owns which circuits there are here and what each has of this node's slots. Does not own what a circuit does
(circuits.py and the three roles), nor which path it takes.

Theory of operation. `Setup` goes along the path from neighbour to neighbour. Each node reserves the slots of
its sides, or answers `Refuse`, which releases what the nodes before it have reserved: all hops or none. The
last node answers `Accept`, and each node makes pairs from when that passes it. The source refreshes the
circuit; a node that has not heard of it for a while gives it back, so that nothing outlives a source that
has died. `Teardown` ends a circuit from any of its nodes.

Rules: a message about a circuit that is not known here changes nothing. An id is used once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, get_args

from ...protocols.swap_orders import SwapOrder
from ..control import Accept, Alive, Forgotten, Refresh, Refuse, Setup, Signal, Teardown
from .circuit import LEFT, RIGHT, Circuit, Hub
from .head import Head
from .relay import Relay
from .stream import Future
from .tail import Deliver, Tail

if TYPE_CHECKING:
    from ..path_requests import PathRequest

ORDERS = get_args(SwapOrder)
#: A circuit that has not been refreshed for so many periods is no more.
_STALE = 3.5
#: No circuit is refreshed, or looked after, more often.
_SHORTEST_NS = 1_000_000
#: Circuits that have ended are remembered, as far as late messages may name them.
_REMEMBERED = 1024


class Opening:
    """A circuit at its source: `answered` by None or a refusal, and `ended` by what tore it down."""

    def __init__(self, setup: Setup) -> None:
        loop = asyncio.get_running_loop()
        self.id, self.setup = setup.id, setup
        self.answered: asyncio.Future[Refuse | None] = loop.create_future()
        self.ended: asyncio.Future[Teardown] = loop.create_future()


class Signalling:
    """The circuits of one node. `post(peer, signal)` speaks to a neighbour."""

    def __init__(
        self,
        hub: Hub,
        slots: int,
        windows: tuple[int, int],
        is_pool: bool,
        post: Callable[[str, Signal], None],
        deliver: Deliver,
        note: Callable[[str, int], None],
        context: Context,
    ) -> None:
        self._hub, self._slots, self._is_pool = hub, slots, is_pool
        self._window, self._end_window = windows
        self._post = post
        self._deliver, self._note = deliver, note
        self._context = context
        self.circuits: dict[str, Circuit] = {}
        self._openings: dict[str, Opening] = {}
        self._past: dict[str, None] = {}
        self._timers: dict[str, list[asyncio.TimerHandle]] = {}
        #: Slots that are reserved now.
        self.used = 0
        #: Set-ups that this node has refused, and joins by whether they succeeded.
        self.refused = 0
        self.joins = {True: 0, False: 0}

    @property
    def _name(self) -> str:
        return self._hub.node.welcome.name

    # --- the source ---

    def open(self, setup: Setup, request: PathRequest) -> Opening:
        """Set a circuit up from here."""
        opening = self._openings[setup.id] = Opening(setup)
        window = self._share(setup, ends=True)
        if window is None:
            self.refused += 1
            del self._openings[setup.id]
            opening.answered.set_result(Refuse(setup.id, self._name, "no free slots"))
            return opening
        self._add(Head(self._hub, setup, window, request))
        self._post(setup.path[1], setup)
        return opening

    def tear_down(self, id: str, why: str) -> list[Future]:
        """The source wants the circuit no longer; returns what is still to be done for that here."""
        circuit = self.circuits.get(id)
        return [] if circuit is None else self._end(circuit, Teardown(id, why))

    # --- messages ---

    def on(self, peer: str, signal: Signal) -> None:
        """A message about a circuit."""
        if isinstance(signal, Setup):
            self._on_setup(peer, signal)
            return
        assert isinstance(signal, (Accept, Refuse, Teardown))
        circuit = self.circuits.get(signal.id)
        if circuit is None:
            self._hub.count_refused()
            return
        side = self.side_of(circuit, peer)
        if side is None or (side == LEFT and not isinstance(signal, Teardown)):
            self._hub.count_refused()
        elif isinstance(signal, Accept):
            self._accepted(circuit)
        elif isinstance(signal, Refuse):
            self._refused(circuit, signal)
        else:
            self._end(circuit, signal, side)

    def side_of(self, circuit: Circuit, peer: str) -> int | None:
        """On which side of this node a neighbour is; None for any other node."""
        if peer == circuit.neighbour(LEFT):
            return LEFT
        return RIGHT if peer == circuit.neighbour(RIGHT) else None

    def _on_setup(self, peer: str, setup: Setup) -> None:
        if setup.id in self.circuits or setup.id in self._past or not self._fits(peer, setup):
            self._hub.count_refused()
            return
        at = setup.path.index(self._name)
        is_last = at == len(setup.path) - 1
        window = self._share(setup, ends=is_last)
        if window is None:
            self.refused += 1
            self._post(peer, Refuse(setup.id, self._name, "no free slots"))
        elif is_last:
            tail = Tail(self._hub, setup, window, self._deliver)
            self._add(tail)
            tail.start()
            self._post(peer, Accept(setup.id))
        else:
            self._add(Relay(self._hub, setup, window, self._count_join))
            self._post(setup.path[at + 1], setup)

    def _fits(self, peer: str, setup: Setup) -> bool:
        """Whether it leads over this node, from that neighbour, along links that are here."""
        path, hops = setup.path, len(setup.path) - 1
        if self._name not in path[1:] or len(set(path)) < len(path) or setup.order not in ORDERS:
            return False
        if not hops == len(setup.links) == len(setup.alphas):
            return False
        if setup.count < 1 or min(setup.patience_ns, setup.refresh_ns) < _SHORTEST_NS:
            return False
        at = path.index(self._name)
        near = [(setup.links[at - 1], path[at - 1])]
        if at < hops:
            near.append((setup.links[at], path[at + 1]))
        known = {(each.name, each.peer) for each in self._hub.links if each.heralding}
        return peer == path[at - 1] and all(each in known for each in near)

    def _accepted(self, circuit: Circuit) -> None:
        if circuit.is_open:
            return
        circuit.start()
        if circuit.index:
            self._post(circuit.neighbour(LEFT), Accept(circuit.id))
        opening = self._openings.get(circuit.id)
        if opening is not None and not opening.answered.done():
            opening.answered.set_result(None)

    def _refused(self, circuit: Circuit, refusal: Refuse) -> None:
        if circuit.index:
            self._post(circuit.neighbour(LEFT), refusal)
        self._remove(circuit)
        opening = self._openings.pop(circuit.id, None)
        if opening is not None and not opening.answered.done():
            opening.answered.set_result(refusal)

    def _end(
        self, circuit: Circuit, teardown: Teardown, came_from: int | None = None
    ) -> list[Future]:
        """The circuit is no more: give back what it has here, and pass that on."""
        for side in (LEFT, RIGHT):
            peer = circuit.neighbour(side)
            if side != came_from and peer:
                self._post(peer, teardown)
        left = self._remove(circuit)
        opening = self._openings.pop(circuit.id, None)
        if opening is not None:
            if not opening.answered.done():
                opening.answered.set_result(Refuse(circuit.id, teardown.link, teardown.why))
            if not opening.ended.done():
                opening.ended.set_result(teardown)
        return left

    # --- faults ---

    def neighbour_lost(self, peer: str, why: str) -> None:
        """A neighbour is gone, or knows nothing any more: so is every circuit over it."""
        for circuit in list(self.circuits.values()):
            side = self.side_of(circuit, peer)
            if side is not None:
                self._end(circuit, Teardown(circuit.id, f"{peer}: {why}", link=peer), side)

    def link_down(self, link: str) -> None:
        """A link is down: so is every circuit over it."""
        for circuit in list(self.circuits.values()):
            if link in (stream.link.name for stream in circuit.streams if stream is not None):
                self._end(circuit, Teardown(circuit.id, f"{link} is down", link=link))

    def on_forgotten(self, peer: str, id: str) -> None:
        """A neighbour knows no such circuit."""
        circuit = self.circuits.get(id)
        if circuit is not None and circuit.is_open:
            side = self.side_of(circuit, peer)
            if side is not None:
                self._end(circuit, Teardown(id, f"{peer} has forgotten it", link=peer), side)

    def unknown(self, peer: str, id: str) -> None:
        """A message names a circuit that is not known here."""
        self._hub.count_refused()
        if self._hub.node.knows(peer):
            self._hub.tell(peer, Forgotten(id))

    # --- soft state ---

    def on_refresh(self, circuit: Circuit) -> None:
        """The source still wants the circuit."""
        circuit.seen_ns = self._hub.node.now_ns
        right = circuit.neighbour(RIGHT)
        self._hub.tell(
            right or circuit.path[0], Refresh(circuit.id) if right else Alive(circuit.id)
        )

    def _refresh(self, circuit: Circuit) -> None:
        if circuit.id not in self.circuits:
            return
        self._later(circuit, circuit.setup.refresh_ns, self._refresh)
        if self._hub.node.now_ns - circuit.seen_ns > _STALE * circuit.setup.refresh_ns:
            why = "its nodes do not answer" if circuit.index == 0 else "its source is silent"
            self._end(circuit, Teardown(circuit.id, f"{self._name}: {why}"))
        elif circuit.index == 0:
            self._hub.tell(circuit.path[1], Refresh(circuit.id))

    def _tick(self, circuit: Circuit) -> None:
        if circuit.id in self.circuits:
            self._later(circuit, circuit.setup.patience_ns // 2, self._tick)
            circuit.tick()

    def _later(self, circuit: Circuit, delay_ns: int, what: Callable[[Circuit], None]) -> None:
        """In the service's own context: such timers are background, also of a program's circuit."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(delay_ns * 1e-9, what, circuit, context=self._context)
        timers = self._timers.setdefault(circuit.id, [])
        timers[:] = [each for each in timers if not each.cancelled() and each.when() > loop.time()]
        timers.append(timer)

    # --- slots ---

    def _share(self, setup: Setup, *, ends: bool) -> int | None:
        """How many slots each side may have here; None for none."""
        free = self._slots - self.used
        if ends:
            most = max(1, free if self._is_pool else free // 2)
            return min(self._end_window, most, max(1, setup.count)) if free > 0 else None
        share = min(self._window, free // 2)
        return share if share > 0 else None

    def _add(self, circuit: Circuit) -> None:
        self.circuits[circuit.id] = circuit
        self.used += circuit.slots
        self._note("slots", self.used)
        self._later(circuit, circuit.setup.refresh_ns, self._refresh)
        self._later(circuit, circuit.setup.patience_ns // 2, self._tick)

    def _remove(self, circuit: Circuit) -> list[Future]:
        del self.circuits[circuit.id]
        self._past[circuit.id] = None
        while len(self._past) > _REMEMBERED:
            del self._past[next(iter(self._past))]
        for timer in self._timers.pop(circuit.id, ()):
            timer.cancel()
        left = circuit.close()
        self.used -= circuit.slots
        self._note("slots", self.used)
        return left

    def _count_join(self, succeeded: bool) -> None:
        self.joins[succeeded] += 1

    def close(self) -> None:
        """The run is over."""
        for circuit in list(self.circuits.values()):
            self._remove(circuit)
