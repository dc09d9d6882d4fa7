"""The inside half of `self.outside()`: requests that came from outside, awaited and answered in virtual time.

Owns `Outside` and `Request` as programs see them, how an item is encoded, and the orders that a node gives to
its shell. Does not own sockets and real time (process/outside.py), nor when a request is due (the emulator).

Rules. All state and every decision are in the virtual loop: what a program knows of the outside are the
bytes of requests, at the instants at which they were granted, so a replay that feeds them again does the
same. A reply is an order to the shell and changes nothing inside; a replay drops it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from ..emulator.errors import InputError, OutsideError, Refused
from ..emulator.units import quoted
from ..emulator.wire import Input, Welcome
from .messages import encode_body

#: Bytes of one item, and how many may be unanswered, unless the program says otherwise.
LARGEST_ITEM, MOST_UNANSWERED = 1024 * 1024, 64
#: No item may be larger: it passes through the emulator, and into the node's record.
_LIMIT, _MOST_ROOM = 16 * 1024 * 1024, 1_000_000

#: The outside half: `async def serve(inside, ...)`.
OutsideHalf = Callable[..., Awaitable[object]]


# --- what a node asks of its shell ------------------------------------------------------------------


class Open(msgspec.Struct):
    """Run the outside half on the ordinary loop."""

    opening: int
    half: OutsideHalf
    args: tuple[Any, ...]
    largest: int
    unanswered: int


class Reply(msgspec.Struct):
    """Hand this to the `put` that awaits it, if it still does."""

    opening: int
    number: int
    kind: str
    data: bytes


class Close(msgspec.Struct):
    """The inside half has left: no more items, no more replies."""

    opening: int


Order = Open | Reply | Close


class Openings(Protocol):
    """What an opening asks of its node (node/outsides.py)."""

    def opened(self, outside: Outside, order: Open) -> int:
        """Another one; its number."""

    def closed(self, opening: int) -> None:
        """The inside half has left."""

    def replied(self, reply: Reply) -> None:
        """A request has been answered."""

    def future(self) -> asyncio.Future[None]:
        """A future that is for the next request."""


class _Node(Protocol):
    welcome: Welcome

    @property
    def outsides(self) -> Openings: ...


# --- items ----------------------------------------------------------------------------------------


def encode_item(value: Any) -> tuple[str, bytes]:
    """An item or a reply, as (kind, bytes). Raises MessageError for what is neither bytes nor JSON."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "bytes", bytes(value)
    return "json", encode_body(value)


def decode_item(kind: str, data: bytes) -> Any:
    """What `encode_item` was given."""
    return data if kind == "bytes" else msgspec.json.decode(data)


# --- what a program holds -------------------------------------------------------------------------


class Request:
    """One item from outside: `body` (bytes or a JSON value), `number` from 1, and `came_ns` in virtual time.

    The outside half waits until `reply` is called, and no other item takes its room.
    """

    __slots__ = ("_answered", "_outside", "body", "came_ns", "number")

    def __init__(self, outside: Outside, number: int, body: Any, came_ns: int) -> None:
        self._outside, self.number, self.body, self.came_ns = outside, number, body, came_ns
        self._answered = False

    def reply(self, value: Any = None) -> None:
        """Answer it, once, with bytes or a JSON value; a client that has left hears nothing.

        Raises MessageError for other values, OutsideError for a second reply.
        """
        if self._answered:
            raise OutsideError(f"request {self.number} has been answered already")
        self._outside.answer(self.number, value)
        self._answered = True

    def __repr__(self) -> str:
        return f"<Request {self.number}{' answered' if self._answered else ''}>"


class Outside:
    """An opening to the outside, for as long as an `async with` lasts; iterates over the requests.

    Several tasks may await requests: each gets the next one. When the outside half returns there are no
    more; when it raises, the tasks that await a request get an OutsideError, and so does the block's end.
    """

    def __init__(
        self,
        node: _Node,
        half: OutsideHalf,
        args: tuple[Any, ...],
        largest: int,
        unanswered: int,
    ) -> None:
        _check(node, half, largest, unanswered)
        self._node = node
        self._order = Open(0, half, args, largest, unanswered)
        self._requests: deque[Request] = deque()
        self._takers: deque[asyncio.Future[None]] = deque()
        self._failure: OutsideError | None = None
        self._ended = False
        self._is_open = False

    async def __aenter__(self) -> Outside:
        if self._order.opening:
            raise OutsideError("this outside() has been entered already: call self.outside() again")
        self._order.opening = self._node.outsides.opened(self, self._order)
        self._is_open = True
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._is_open = False
        self._node.outsides.closed(self._order.opening)
        if kind is None and self._failure is not None:
            raise self._failure

    def __aiter__(self) -> Outside:
        return self

    async def __anext__(self) -> Request:
        request = await self._next()
        if request is None:
            raise StopAsyncIteration
        return request

    async def receive(self) -> Request:
        """The next request; waits for one. Cancelling loses none.

        Raises OutsideError when there are no more.
        """
        request = await self._next()
        if request is None:
            raise OutsideError("no more requests: the outside half has returned")
        return request

    async def _next(self) -> Request | None:
        if not self._is_open:
            raise OutsideError("requests are received inside `async with self.outside(...)`")
        while not self._requests:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            await self._turn()
        return self._requests.popleft()

    async def _turn(self) -> None:
        taker = self._node.outsides.future()
        self._takers.append(taker)
        try:
            await taker
        except BaseException:
            if taker in self._takers:
                self._takers.remove(taker)
            elif self._requests:
                self._wake()  # it was this one's turn, and another one may have it
            raise

    def _wake(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    # --- from the node ---

    def take(self, item: Input, now_ns: int) -> None:
        """Something has come for this opening."""
        if item.kind in ("json", "bytes"):
            body = decode_item(item.kind, item.data)
            self._requests.append(Request(self, item.number, body, now_ns))
            self._wake()
            return
        self._ended = True
        if item.kind == "failed":
            self._failure = _failure(self._order.half, item.data.decode())
        for taker in self._takers:
            if not taker.done():
                taker.set_result(None)
        self._takers.clear()

    def answer(self, number: int, value: Any) -> None:
        """Have the shell hand over a reply."""
        kind, data = encode_item(value)
        self._node.outsides.replied(Reply(self._order.opening, number, kind, data))


def _failure(half: OutsideHalf, text: str) -> OutsideError:
    """What the outside half raised: its last line in the message, its traceback as a note."""
    headline, _, trace = text.partition("\n")
    error = OutsideError(f"the outside half {_name(half)} raised {headline}")
    if trace:
        error.add_note(trace.rstrip("\n"))
    return error


def _name(half: OutsideHalf) -> str:
    return f"{getattr(half, '__qualname__', type(half).__qualname__)}()"


def _check(node: _Node, half: OutsideHalf, largest: int, unanswered: int) -> None:
    """Raises Refused where a node cannot open to the outside, InputError for arguments that do not fit."""
    why = {
        "": "virtual time passes as fast as it can: nothing outside can keep up; use `time: {mode: real}`",
        "in process": "one process for all nodes has no ordinary loop: run it without --in-process",
    }.get(node.welcome.outside)
    if why is not None:
        raise Refused(
            f"{node.welcome.name}: self.outside() is not possible here: {why}", call="outside"
        )
    owner = getattr(half, "__self__", None)
    if getattr(owner, "_node", None) is not None:
        raise InputError(
            f"outside(): {_name(half)} is a method of the program, which lives in virtual time: "
            "give a plain coroutine function, and pass what it needs as arguments"
        )
    if not callable(half):
        raise InputError(f"outside(): expected a coroutine function, found {quoted(half)}")
    limits: tuple[tuple[str, object, int], ...] = (
        ("largest", largest, _LIMIT),
        ("unanswered", unanswered, _MOST_ROOM),
    )
    for word, value, most in limits:
        if not isinstance(value, int) or not 1 <= value <= most:
            raise InputError(
                f"outside(): expected `{word}` from 1 to {most:,}, found {quoted(value)}"
            )
