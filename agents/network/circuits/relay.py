"""A repeater of a circuit: joins what comes from either side, and passes tracks on.

Owns which halves are joined when, and what is remembered of joins. Does not own the halves (circuit.py).

Theory of operation. A half of either side is joined as soon as the rule of the circuit's order lets it
(protocols/swap_orders.py): as soon as possible the oldest halves of both sides; in another order when the
node has heard (`Reach`) that its pairs reach the nodes of its rule. The track of a pair comes from the left,
with the outcomes so far, waits here for the join if need be, and continues to the right with this one's. So a
pair costs one message a hop, and a repeater sends nothing when it joins.

Nothing wakes a repeater that it cannot act on. The first of two halves to be joined comes quietly, with the
grant that brings the second, where no time limit runs for it. The outcome of a join without duration comes
quietly, too, unless a track waits for it already: the next track finds it. So the slots of such a join count
as free from when it is asked for.

Rules: what is remembered of a join answers a track or a question that comes again; nothing is joined twice.
A join that has failed, or whose half was lost meanwhile, is lost on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from ....emulator.wire import Join
from ...protocols.swap_orders import swap_rules
from ...qubits import Pair
from ..control import Reach, Setup, Track
from ..link_facts import correlations
from .circuit import LEFT, REMEMBERED, RIGHT, Circuit, Correlations, Hub, remember
from .stream import Future


class _Link(msgspec.Struct):
    """A join that was made: the pair on the right, the outcome, and what is left of correlations."""

    right: int
    z: int
    x: int
    left: Correlations


class Relay(Circuit):
    """A circuit at one of its repeaters. `joined()` is called for each join."""

    def __init__(self, hub: Hub, setup: Setup, window: int, joined: Callable[[bool], None]) -> None:
        super().__init__(hub, setup, window, 2 * window)
        name = hub.node.welcome.name
        self._joined = joined
        self._at_once = hub.node.welcome.joins.duration_ns == 0
        self._expires = hub.node.welcome.cutoff_ns > 0
        self._reach = {LEFT: self.index - 1, RIGHT: self.index + 1}
        self._ordered = setup.order != "asap"
        if self._ordered:
            rule = swap_rules(setup.path, setup.order)[name]  # type: ignore[arg-type]
            self._reach = {LEFT: self.path.index(rule.left), RIGHT: self.path.index(rule.right)}
        #: How far the pairs of either side reach, as far as that is more than a hop.
        self._reached: tuple[dict[int, int], dict[int, int]] = ({}, {})
        #: Numbers that may be joined, in their order.
        self._ready: tuple[dict[int, None], dict[int, None]] = ({}, {})
        #: Joins under way, each half's number by side -> whether it was lost meanwhile.
        self._joining: tuple[dict[int, bool], dict[int, bool]] = ({}, {})
        self._joins: dict[int, _Link] = {}
        self._left_of: dict[int, int] = {}
        #: Joins whose outcome shall come quietly, by the number on the left, until it has come.
        self._quiet: dict[int, Join] = {}
        #: Tracks that wait for their join, and those that were sent, by the number on the right.
        self._tracks: dict[int, Track] = {}
        self._sent: dict[int, Track] = {}
        right = self.stream(RIGHT)
        zz, xx = correlations(right.link, setup.alphas[self.index])
        joins = hub.node.welcome.joins
        self._base = (zz * joins.zz, xx * joins.xx, xx * joins.yy)

    @property
    def _meets(self) -> str:
        setup, hub = self.setup, self.hub
        acts = setup.order != "asap" or setup.cutoff_ns or hub.stores or hub.node.welcome.cutoff_ns
        return "" if acts else self.id

    # --- halves ---

    def came(self, side: int, number: int, half: Pair) -> None:
        self.keep(side, number, half)
        self._look(side, number)
        if self.setup.cutoff_ns:
            self.keep_cutoff(side)

    def take_back(self, side: int, number: int) -> bool:
        self._ready[side].pop(number, None)
        return super().take_back(side, number)

    def _look(self, side: int, number: int) -> None:
        """A half has come, or reaches farther: join it if that can be."""
        if self._ordered:
            step = 1 if side == RIGHT else -1
            reached = self._reached[side].get(number, self.index + step)
            if reached != self._reach[side]:
                return
        self._ready[side][number] = None
        self._match()

    def _match(self) -> None:
        left, right = self._ready
        while left and right and self.is_open:
            first, second = next(iter(left)), next(iter(right))
            if self._expires:
                is_lost = self.halves[LEFT][first].expired, self.halves[RIGHT][second].expired
                for side, number in ((LEFT, first), (RIGHT, second)):
                    if is_lost[side]:
                        self.lose(side, number)
                if True in is_lost:
                    continue
            self._join(first, second)

    def _join(self, left: int, right: int) -> None:
        first, second = self.halves[LEFT].pop(left), self.halves[RIGHT].pop(right)
        del self._ready[LEFT][left], self._ready[RIGHT][right]
        self._joining[LEFT][left] = self._joining[RIGHT][right] = False
        here, there = first.qubit.name, second.qubit.name
        quiet = self._at_once and not self._ordered and left not in self._tracks
        join = Join(0, here, there, quiet)
        if quiet:
            self._quiet[left] = join

        def ask(serial: int) -> Join:
            join.number = serial
            return join

        future: Any = self.hub.node.operate(ask)
        times_ns = first.emitted_ns, second.emitted_ns, self.now_ns
        future.add_done_callback(partial(self._join_over, left, right, times_ns))
        if self._at_once:
            self._release()

    def _release(self) -> None:
        """The slots of a join are free."""
        for stream in self.streams:
            if stream is not None:  # a repeater has both
                stream.release()

    def _join_over(
        self, left: int, right: int, times_ns: tuple[int, int, int], future: Future
    ) -> None:
        self._quiet.pop(left, None)
        lost = self._joining[LEFT].pop(left, True), self._joining[RIGHT].pop(right, True)
        failed = future.cancelled() or future.exception() is not None or not future.result().ok
        self._joined(not failed)
        if self.stream(LEFT).closed:
            return
        if failed or True in lost:
            for side, number in ((LEFT, left), (RIGHT, right)):
                if not lost[side]:
                    self._tracks.pop(left, None)
                    self.tell_gone(side, number)
        else:
            self._note(left, right, times_ns, future.result())
        if not self._at_once:
            self._release()

    def _note(self, left: int, right: int, times_ns: tuple[int, int, int], joined: Any) -> None:
        kept = self._base
        joined_ns = times_ns[2] if self._at_once else self.now_ns
        for side in (LEFT, RIGHT):
            if self._decays[side]:
                kept = self.decayed(kept, side, times_ns[side], joined_ns)
        self._joins[left] = _Link(right, int(joined.z), int(joined.x), kept)
        self._left_of[right] = left
        if len(self._joins) > REMEMBERED:
            remember(self._joins)
            remember(self._left_of)
        if self._ordered:
            self._say_reach(left, right)
        track = self._tracks.pop(left, None)
        if track is not None:
            self._forward(track)

    # --- tracks ---

    def on_track(self, track: Track) -> None:
        number = track.number
        if number in self._joins:
            self._forward(track)
        elif (
            number in self.halves[LEFT]
            or number in self._joining[LEFT]
            or self.stream(LEFT).is_ahead(number)
        ):
            self._tracks[number] = track
            if number in self._quiet:  # asked for in this very step, which is not reported yet
                self._quiet[number].quiet = False
        else:
            self.hub.count_refused()
            self.tell_gone(LEFT, number)

    def _forward(self, track: Track) -> None:
        join = self._joins[track.number]
        zz, xx, yy = join.left
        sent = self._sent[join.right] = Track(
            track.id,
            join.right,
            track.origin,
            track.z ^ join.z,
            track.x ^ join.x,
            track.zz * zz,
            track.xx * xx,
            track.yy * yy,
            track.emitted_ns,
        )
        if len(self._sent) > REMEMBERED:
            remember(self._sent)
        self.hub.tell(self.path[self.index + 1], sent)

    def on_what(self, number: int) -> None:
        if number in self._sent:
            self.hub.tell(self.neighbour(RIGHT), self._sent[number])
        elif number in self._left_of:
            self.ask_what(self._left_of[number])
        elif not (
            number in self.halves[RIGHT]
            or number in self._joining[RIGHT]
            or self.stream(RIGHT).is_ahead(number)
        ):
            self.hub.count_refused()
            self.tell_gone(RIGHT, number)

    def forget(self, side: int, number: int) -> None:
        if number in self._joining[side]:
            self._joining[side][number] = True
            return
        if side == LEFT:
            self._tracks.pop(number, None)
            join = self._joins.pop(number, None)
            if join is not None:
                self._left_of.pop(join.right, None)
                self._sent.pop(join.right, None)
                self.tell_gone(RIGHT, join.right)
            return
        left = self._left_of.pop(number, None)
        if left is not None:
            self._joins.pop(left, None)
            self._sent.pop(number, None)
            self._tracks.pop(left, None)
            self.tell_gone(LEFT, left)

    # --- orders other than as soon as possible ---

    def _say_reach(self, left: int, right: int) -> None:
        """Tell the nodes that share the new pair, if they are repeaters, how far it reaches."""
        ends = self._reach[LEFT], self._reach[RIGHT]
        if ends[RIGHT] < self.hops:
            self.hub.tell(self.neighbour(RIGHT), Reach(self.id, right, ends[RIGHT], ends[LEFT]))
        if ends[LEFT] > 0:
            self.hub.tell(self.neighbour(LEFT), Reach(self.id, left, ends[LEFT], ends[RIGHT]))

    def on_reach(self, side: int, reach: Reach) -> None:
        """From the neighbour of that side."""
        number = reach.number
        if reach.place == self.index:
            self._reached[side][number] = reach.to
            remember(self._reached[side])
            if number in self.halves[side] and number not in self._ready[side]:
                self._look(side, number)
            return
        join = self._joins.get(number) if side == LEFT else None
        further = (join.right if join else None) if side == LEFT else self._left_of.get(number)
        if further is not None:
            other = self.neighbour(RIGHT - side)
            self.hub.tell(other, Reach(self.id, further, reach.place, reach.to))

    def overdue(self, since_ns: int) -> None:
        """A half whose reach was lost on the way is given up, after four times the patience."""
        if not self._ordered:
            return
        since_ns = self.now_ns - 4 * (self.now_ns - since_ns)
        for side in (LEFT, RIGHT):
            for number, half in list(self.halves[side].items()):
                if number not in self._ready[side] and half.emitted_ns <= since_ns:
                    self.lose(side, number)
