"""The outside half of `self.outside()`: coroutines on the process's ordinary loop, in real time.

Owns the tasks that run them, `Inside` (what such a coroutine holds), the room for items, and the replies on
their way back. Does not own what an item does: it goes to the emulator as a Poke, and comes to the program
in a grant.

Rules. Nothing here decides anything that a run can see, but for what an item is and when it comes. An item
takes its room until it has been answered, also when the client has left: so clients that come and leave
cannot flood a run. An outside half that raises is reported as an input like any other, and its traceback
goes to the node's log. An opening begins when the halves of those before have ended: they may hold the same
port.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from ...emulator.errors import MessageError, OutsideError
from ...emulator.wire import Input
from ..guards.running_program import current
from ..outside import Close, Open, Order, Reply, decode_item, encode_item
from ..tracebacks import headline, program_traceback

#: A half that is to end may clean up for so long.
GRACE_S = 2.0
#: Set in the context of every callback that an outside half has caused.
_OF_OUTSIDE: contextvars.ContextVar[bool] = contextvars.ContextVar("of_outside", default=False)


class Inside:
    """What the outside half holds of its node: `put`. Of one opening; not for other threads."""

    def __init__(self, order: Open, node: str, poke: Callable[[Input], None]) -> None:
        self._order, self._node, self._poke = order, node, poke
        self._room = asyncio.Semaphore(order.unanswered)
        self._count = 0
        self._awaited: dict[int, asyncio.Future[tuple[str, bytes]]] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the inside half has left: every `put` raises from then on."""
        return self._closed

    @property
    def unanswered(self) -> int:
        """Items that have been put and have no reply yet."""
        return len(self._awaited)

    async def put(self, item: Any = None) -> Any:
        """Hand an item (bytes or a JSON value) to the node, and wait for its reply, in real time.

        Waits for room first. Cancelled: the item may be inside already, and its reply is dropped. Raises
        MessageError for an item that is too large or neither bytes nor JSON, OutsideError when no reply
        will come because the inside half has left.
        """
        if current() is not None:
            raise OutsideError("put() belongs to the outside half: a program awaits requests")
        kind, data = encode_item(item)
        if len(data) > self._order.largest:
            raise MessageError(
                f"an item of {len(data):,} bytes: at most {self._order.largest:,} come inside"
            )
        await self._room.acquire()
        if self._closed:
            self._room.release()  # the next one that waits for room hears it, too
            raise self._left()
        return decode_item(*await self._send(kind, data))

    def _send(self, kind: str, data: bytes) -> asyncio.Future[tuple[str, bytes]]:
        self._count += 1
        future = asyncio.get_running_loop().create_future()
        self._awaited[self._count] = future
        self._poke(Input(self._order.opening, self._count, kind, data))
        return future

    def answer(self, reply: Reply) -> None:
        """The node has answered."""
        future = self._awaited.pop(reply.number, None)
        if future is None:
            return
        self._room.release()
        if not future.done():
            future.set_result((reply.kind, reply.data))

    def close(self) -> None:
        """The inside half has left."""
        if self._closed:
            return
        self._closed = True
        awaited, self._awaited = self._awaited, {}
        for future in awaited.values():
            if not future.done():
                future.set_exception(self._left())
        self._room.release()

    def end(self, kind: str, text: str = "") -> None:
        """The outside half has ended."""
        if not self._closed:
            self._poke(Input(self._order.opening, self._count + 1, kind, text.encode()))

    def _left(self) -> OutsideError:
        return OutsideError(f"{self._node} has left this outside(): no reply will come")


class OutsideHalves:
    """All outside halves of a process. `poke` sends an input to the emulator."""

    def __init__(self, node: str, poke: Callable[[Input], None]) -> None:
        self._node, self._poke = node, poke
        self._open: dict[int, tuple[Inside, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def carry_out(self, orders: Sequence[Order]) -> None:
        """What the node wants done; called outside of its steps."""
        for order in orders:
            if isinstance(order, Open):
                self._begin(order)
            elif isinstance(order, Close):
                self._end(order.opening)
            elif order.opening in self._open:
                self._open[order.opening][0].answer(order)

    def describe(self) -> str:
        """How many items each opening has let in that are unanswered, for people."""
        return "".join(
            f"outside {number}: {inside.unanswered} unanswered requests\n"
            for number, (inside, _) in self._open.items()
        )

    def _begin(self, order: Open) -> None:
        inside = Inside(order, self._node, self._poke)
        context = contextvars.copy_context()
        context.run(_OF_OUTSIDE.set, True)
        loop = asyncio.get_running_loop()
        half = self._live(order, inside, set(self._ending))
        task = loop.create_task(half, name=f"outside {order.opening}", context=context)
        self._open[order.opening] = inside, task

    async def _live(self, order: Open, inside: Inside, before: set[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        try:
            await order.half(inside, *order.args)
        except asyncio.CancelledError as error:
            if not inside.closed:
                self._failed(inside, error)
        except BaseException as error:  # noqa: BLE001 whatever the user's coroutine raises
            self._failed(inside, error)
        else:
            inside.end("ended")

    def _failed(self, inside: Inside, error: BaseException) -> None:
        trace = program_traceback(error)
        sys.stderr.write(trace)
        inside.end("failed", f"{headline(error).splitlines()[0]}\n{trace}")

    def _end(self, opening: int) -> None:
        inside, task = self._open.pop(opening)
        inside.close()
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def abandon(self) -> None:
        """Cancel all of them, and wait for none."""
        for opening in list(self._open):
            self._end(opening)

    async def close(self) -> None:
        """End all of them; what has not cleaned up after GRACE_S is named in the log, and left behind."""
        self.abandon()
        if not self._ending:
            return
        _, late = await asyncio.wait(set(self._ending), timeout=GRACE_S)
        for task in late:
            frames = "".join(traceback.format_list(traceback.extract_stack(task.get_stack()[-1])))
            sys.stderr.write(f"{task.get_name()} does not end within {GRACE_S:g} s; at:\n{frames}")


def is_of_outside(context: dict[str, Any]) -> bool:
    """Whether what an ordinary loop reports happened in a callback or protocol of an outside half."""
    handle = context.get("handle")
    inner = getattr(handle, "_context", None)
    # asyncio leaves the callback's context before it reports; uvloop reports in it.
    return _OF_OUTSIDE.get() if inner is None else inner.get(_OF_OUTSIDE, False)
