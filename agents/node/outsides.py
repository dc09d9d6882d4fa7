"""The openings of one node to the outside: which are open, what came for each, and the orders to the shell.

Owns that list and what a step reports of it. Does not own the handles (outside.py) nor what the shell does
with an order (process/outside.py).

Rule: a report says how often the node is open, in each step that changes it, because a run that may still get
something from outside is not stuck. Only `live` orders reach a shell; a replay gives them to none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ...emulator.wire import Input, OutsideState, Replied, Welcome
from ...emulator.wire.keyed_hash import keyed_hash
from ..outside import Close, Open, Order, Outside, Reply


class Outsides:
    """Those of one incarnation. `orders`: for the shell, which takes them out."""

    def __init__(self, welcome: Welcome, new_future: Callable[[], asyncio.Future[None]]) -> None:
        self._welcome = welcome
        self.future = new_future
        self.orders: list[Order] = []
        self._live = welcome.outside == "live"
        self._open: dict[int, Outside] = {}
        self._count = 0
        self._replies: list[Replied] = []
        #: Whether this step has something to report.
        self.changed = False

    def opened(self, outside: Outside, order: Open) -> int:
        """Another one; its number."""
        self._count += 1
        self._open[self._count] = outside
        order.opening = self._count
        self._give(order)
        return self._count

    def closed(self, opening: int) -> None:
        """The inside half has left."""
        if self._open.pop(opening, None) is not None:
            self._give(Close(opening))

    def close_all(self) -> None:
        """The node runs no more."""
        for opening in list(self._open):
            self.closed(opening)

    def replied(self, reply: Reply) -> None:
        """A request has been answered; harmless when its opening is closed."""
        if reply.opening not in self._open:
            return
        welcome = self._welcome
        shown = keyed_hash(welcome.hash_key, f"reply\x1f{welcome.name}", reply.data)
        self._replies.append(Replied(reply.opening, reply.number, len(reply.data), shown))
        self._give(reply)

    def take(self, inputs: Sequence[Input], now_ns: int) -> None:
        """What a grant brings; what is for an opening that is closed by now is dropped."""
        for item in inputs:
            outside = self._open.get(item.opening)
            if outside is not None:
                outside.take(item, now_ns)

    def report(self) -> OutsideState | None:
        """What this step has changed; None for nothing."""
        if not self.changed:
            return None
        replies, self._replies, self.changed = self._replies, [], False
        return OutsideState(len(self._open), replies)

    def _give(self, order: Order) -> None:
        self.changed = True
        if self._live:
            self.orders.append(order)
