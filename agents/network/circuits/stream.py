"""One end's pairs of a circuit on one link: number after number, as many at once as slots are reserved.

Owns the numbers, which of them are asked for, and the slots that they use. Does not own what is done with the
halves (relay.py, head.py, tail.py).

Theory of operation. Both ends of a hop know the circuit and ask for its pairs 1, 2, 3, ... by name, each as
soon as it has a slot for one more; only requests of one name match. So no message is needed to agree on a
pair, neither end takes a slot that it has not reserved, and the link serves the circuits that ask in the
order in which both ends were ready. While one of a higher priority awaits a pair of a link, others begin
nothing there.

Rules: `came` and `failed` are called once for a number, unless `drop` was before. A number that is dropped or
released frees its slot here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ....emulator.errors import LinkError
from ....emulator.wire import Discard, Entangle, Herald, LinkInfo
from ....emulator.wire import Store as StoreOperation
from ...qubits import Pair, Qubit
from ..link_facts import facts_of

if TYPE_CHECKING:
    from ...interface import NodeInterface

Future = asyncio.Future[Any]


class LinkShare:
    """The circuits over one link at one of its ends, and when it last heralded a pair for any of them."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.heralded_ns = 0

    def may_begin(self, stream: Stream) -> bool:
        """Whether no circuit of a higher priority awaits a pair of the link."""
        return not any(other.open and other.priority > stream.priority for other in self.streams)

    def rests(self, stream: Stream) -> None:
        """The circuit awaits nothing now: those of a lower priority may begin."""
        for other in self.streams:
            if other.priority < stream.priority:
                other.fill()

    def remove(self, stream: Stream) -> None:
        """The circuit is no more: others may have waited for that."""
        if stream in self.streams:
            self.streams.remove(stream)
            for other in self.streams:
                other.fill()


class Stream:
    """Pairs of one circuit with a neighbour. `window`: so many under way or held here at once.

    `meets`: a half is of use only beside one of another link, of a stream with the same word; "": by itself.
    """

    def __init__(
        self,
        node: NodeInterface,
        link: LinkInfo,
        circuit: str,
        alpha: float | None,
        window: int,
        priority: int,
        stores: bool,
        share: LinkShare,
        came: Callable[[int, Pair], None],
        failed: Callable[[int], None],
        meets: str = "",
    ) -> None:
        self._node, self.link, self._circuit, self._alpha = node, link, circuit, alpha
        self.window, self.priority, self._stores, self._share = window, priority, stores, share
        self._came, self._failed, self._meets = came, failed, meets
        rate_hz = facts_of(link, alpha).rate_hz
        #: From one pair to the next on average, as the link promises it.
        self.mean_wait_ns = 1e9 / rate_hz if rate_hz > 0 else math.inf
        #: The next number to be begun, and how many may be begun at most (None: no end).
        self.next = 1
        self.limit: int | None = None
        #: Numbers that are asked for, and since when.
        self.open: dict[int, tuple[Future, int]] = {}
        self.in_use = 0
        self.closed = False
        self._skipped: set[int] = set()

    def start(self) -> None:
        """Ask for the first pairs."""
        self._share.streams.append(self)
        self._share.heralded_ns = self._node.now_ns
        self.fill()

    def fill(self) -> None:
        """Ask for as many as there is room for."""
        while (
            self.in_use < self.window
            and not self.closed
            and (self.limit is None or self.next <= self.limit)
            and (len(self._share.streams) < 2 or self._share.may_begin(self))
        ):
            if self.next in self._skipped:
                self._skipped.remove(self.next)
            else:
                self._begin(self.next)
            self.next += 1

    def release(self) -> None:
        """The slot of one half here is free again."""
        self.in_use -= 1
        self.fill()

    def drop(self, number: int) -> bool:
        """Ask for this one no longer; False if it is not asked for."""
        found = self.open.pop(number, None)
        if found is None:
            return False
        found[0].cancel()
        self.release()
        return True

    def awaits(self, number: int) -> bool:
        """Whether it is asked for, and has not come; it may have in this very step."""
        return number in self.open and not self.open[number][0].done()

    @property
    def silent_since_ns(self) -> int:
        """When the link has last heralded a pair for any circuit, here."""
        if any(future.done() for future, _ in self.open.values()):
            return self._node.now_ns
        return self._share.heralded_ns

    def skip(self, number: int) -> None:
        """The other end has done with a number that is still to be begun here."""
        self._skipped.add(number)

    def is_ahead(self, number: int) -> bool:
        """Whether the half of that number is still to come here."""
        return number >= self.next or number in self.open

    def close(self) -> None:
        """Ask for nothing any more."""
        if self.closed:
            return
        self.closed = True
        for future, _ in self.open.values():
            future.cancel()
        self.open.clear()
        self._share.remove(self)

    def discard(self, *qubits: str) -> list[Future]:
        """Trace halves out, beside all else; what an operation under way has consumed is no error."""
        found: list[Any] = []
        if qubits:
            found.append(self._node.operate(lambda number: Discard(number, list(qubits))))
            forgive(found[0])
        return found

    def _begin(self, number: int) -> None:
        self.in_use += 1
        link, purpose = self.link, f"{self._circuit}#{number}"
        meets, alpha = self._meets, self._alpha
        # Where circuits share the link, others may wait for what is awaited here.
        quiet = bool(meets) and len(self._share.streams) == 1
        future: Any = self._node.operate(
            lambda serial: Entangle(
                serial, link.peer, link.name, False, purpose, alpha, meets, quiet
            )
        )
        self.open[number] = future, self._node.now_ns
        future.add_done_callback(partial(self._heralded, number))

    def _heralded(self, number: int, future: Future) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if isinstance(error, LinkError):
            return  # no more contacts are planned: none of its numbers will come, as over a silent link
        if error is not None:
            self._fail(number)
            return
        herald: Herald = future.result()
        asked = self.open.get(number)
        if asked is None or asked[0] is not future:
            self.discard(herald.qubit)  # dropped in this very step
            return
        node = self._node
        self._share.heralded_ns = node.now_ns
        qubit = Qubit(node, herald.qubit)
        pair = Pair(
            node, herald.pair, herald.peer, herald.link, qubit, herald.emitted_ns,
            herald.goodness, herald.bell,
        )  # fmt: skip
        if self._stores:
            stored: Any = node.operate(lambda serial: StoreOperation(serial, herald.qubit))
            self.open[number] = stored, asked[1]
            stored.add_done_callback(partial(self._stored, number, pair))
            return
        self._arrived(number, pair)

    def _stored(self, number: int, pair: Pair, future: Future) -> None:
        """It lies in a storage qubit now, or stays where it is if none was free."""
        is_lost = future.cancelled() or (future.exception() is not None and pair.expired)
        if self.open.get(number, (None, 0))[0] is not future:
            self.discard(pair.qubit.name)
            return
        if is_lost:
            self._fail(number)
            return
        self._arrived(number, pair)

    def _arrived(self, number: int, pair: Pair) -> None:
        del self.open[number]
        self._came(number, pair)
        if not self.open and not self.closed and len(self._share.streams) > 1:
            self._share.rests(self)

    def _fail(self, number: int) -> None:
        if self.open.pop(number, None) is not None and not self.closed:
            self._failed(number)
            self.release()


def forgive(future: Any) -> None:
    """Await an operation by no task: an error of it is none."""
    future.add_done_callback(_look)


def _look(future: Future) -> None:
    if not future.cancelled():
        future.exception()
