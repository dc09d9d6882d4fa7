"""What neighbours ask for, by purpose: the halves that a program takes, and the outcomes.

Owns the order in which requests of one peer and purpose are handed to the program here, and whether one takes
them. Does not own the requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from ..qubits import Pair
from .requests import LinkOutcomes, LinkPair, Request

#: Tables of outcomes that wait to be taken; the oldest are dropped first.
_MOST_TABLES = 64


class Inbox:
    """Of one peer and one purpose."""

    def __init__(self) -> None:
        self._requests: dict[str, Request] = {}
        self._tables: deque[LinkOutcomes] = deque(maxlen=_MOST_TABLES)
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._takers = 0

    @property
    def is_open(self) -> bool:
        """Whether a program takes pairs."""
        return self._takers > 0

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While the block lasts, a program takes pairs."""
        self._takers += 1
        try:
            yield
        finally:
            self._takers -= 1

    def add(self, request: Request) -> None:
        """A request has come."""
        self._requests[request.id] = request

    def add_outcomes(self, table: LinkOutcomes) -> None:
        """A measured request is complete."""
        self._tables.append(table)
        self.wake()

    async def next(self) -> tuple[Request, LinkPair]:
        """The next half, of the oldest request that has one; waits for it."""
        while True:
            for request in list(self._requests.values()):
                half = request.next_half()
                if request.is_over and not request.halves:
                    del self._requests[request.id]
                if half is not None:
                    return request, half
            await self._change()

    async def next_outcomes(self) -> LinkOutcomes:
        """The next table; waits for it."""
        while not self._tables:
            await self._change()
        return self._tables.popleft()

    def end(self, request: Request) -> None:
        """No more comes of the request; what lies here stays."""
        if not request.halves:
            self._requests.pop(request.id, None)

    def held(self) -> list[Pair]:
        """The halves that lie here."""
        return [half for each in self._requests.values() for half in each.halves.values()]

    async def _change(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        try:
            await future
        finally:
            if future in self._waiters:
                self._waiters.remove(future)

    def wake(self) -> None:
        """Something has changed."""
        while self._waiters:
            future = self._waiters.popleft()
            if not future.done():
                future.set_result(None)
